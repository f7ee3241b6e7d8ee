//! Bad input gets a clear error or a dead letter with its reason, an exit code that says so, and
//! everything else is still processed.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

fn tideline(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tideline")).args(args).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Replays a path; gives the exit code, the summary and what was said on standard error.
fn replay(path: &Path) -> (i32, Value, String) {
    let done = tideline(&["replay", path.to_str().unwrap(), "--json"]);
    let summary = serde_json::from_slice(&done.stdout).unwrap_or(Value::Null);
    (done.status.code().unwrap(), summary, text(&done.stderr))
}

const HEADER: &str = "Div,Date,Time,HomeTeam,AwayTeam,FTHG,FTAG,FTR,B365H,B365D,B365A,PSH,PSD,PSA";

fn row(date: &str, home: &str, odds: &str) -> String {
    format!("E9,{date},15:00,{home},Visitors,2,1,H,{odds},2.10,3.40,3.70\n")
}

fn reasons(summary: &Value) -> String {
    summary["reject_reasons"].to_string()
}

#[test]
fn a_csv_with_every_kind_of_bad_cell() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("E9_2223.csv");
    let mut csv = format!("{HEADER}\n");
    csv += &row("06/08/2022", "Good", "2.00,3.50,3.80");
    csv += &row("06/08/2022", "NotANumber", "NaN,3.50,3.80");
    csv += &row("06/08/2022", "Negative", "-2.00,3.50,3.80");
    csv += &row("06/08/2022", "Half", "0.5,3.50,3.80");
    csv += &row("01/01/1970", "LongAgo", "2.00,3.50,3.80");
    csv += &row("32/13/2022", "NoSuchDay", "2.00,3.50,3.80");
    csv += "E9,06/08/2022,15:00,Cut";
    std::fs::write(&path, csv).unwrap();
    let (code, summary, said) = replay(&path);
    assert_eq!(code, 0, "{said}");
    assert_eq!(summary["results"], 4, "{summary}");
    assert!(summary["rejected"].as_u64().unwrap() >= 6, "{summary}");
    for word in ["NaN", "-2", "0.5", "1970"] {
        assert!(reasons(&summary).contains(word), "{word}: {}", reasons(&summary));
    }
}

#[test]
fn a_truncated_gz_gives_what_is_before_the_cut() {
    let folder = tempfile::tempdir().unwrap();
    let mut csv = format!("{HEADER}\n");
    for i in 0..400 {
        csv += &row(
            "06/08/2022",
            &format!("Team {i}"),
            &format!("{}.{:02},3.5,3.8", 2 + i % 3, i % 97),
        );
    }
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packed.write_all(csv.as_bytes()).unwrap();
    let bytes = packed.finish().unwrap();
    let path = folder.path().join("E9_2223.csv.gz");
    std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    let other = folder.path().join("E8_2223.csv");
    std::fs::write(
        &other,
        format!("{HEADER}\n{}", row("06/08/2022", "Other", "2.0,3.5,3.8").replace("E9", "E8")),
    )
    .unwrap();
    let (_, summary, said) = replay(folder.path());
    let results = summary["results"].as_u64().unwrap();
    assert!((20..400).contains(&results), "{results} {said}");
    let told = reasons(&summary) + &said;
    assert!(told.contains("gz") && told.contains("early"), "{told}");
}

#[test]
fn a_binary_file_is_named_and_the_rest_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let noise: Vec<u8> =
        (0..50_000_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let bad = folder.path().join("noise.bin");
    std::fs::write(&bad, &noise).unwrap();
    let (code, _, said) = replay(&bad);
    assert_ne!(code, 0);
    assert!(said.contains("noise.bin"), "{said}");
    std::fs::write(folder.path().join("E9_2223.csv"), &noise).unwrap();
    std::fs::write(
        folder.path().join("E8_2223.csv"),
        format!("{HEADER}\n{}", row("06/08/2022", "Good", "2.0,3.5,3.8")),
    )
    .unwrap();
    let (_, summary, said) = replay(folder.path());
    assert_eq!(summary["results"], 1, "{summary} {said}");
    assert!(
        (reasons(&summary) + &said).contains("E9_2223.csv")
            || summary["rejected"].as_u64() > Some(0),
        "{summary} {said}"
    );
}

#[test]
fn bad_lines_of_a_feed_are_put_aside_and_the_rest_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("feed.jsonl");
    let mut file = std::fs::File::create(&path).unwrap();
    let good = |ms: u64, price: &str| {
        format!(
            "{{\"ts\":{ms},\"type\":\"odds\",\"fixture\":\"F|2025-01-01|A|B\",\"book\":\"PS\",\"sel\":\"home\",\"price\":{price}}}\n"
        )
    };
    file.write_all(good(1_735_689_600_000, "2.5").as_bytes()).unwrap();
    for bad in ["NaN", "-2.5", "0.5", "1e999"] {
        file.write_all(good(1_735_689_601_000, bad).as_bytes()).unwrap();
    }
    file.write_all(good(0, "2.5").as_bytes()).unwrap();
    file.write_all(b"{\"ts\":1735689602000,\"type\":\"od\n").unwrap();
    file.write_all(b"{\"ts\":1735689602000,\"type\":\"wedding\"}\n").unwrap();
    file.write_all(&vec![b'x'; 10 << 20]).unwrap();
    file.write_all(b"\n").unwrap();
    file.write_all(good(1_735_689_603_000, "2.6").as_bytes()).unwrap();
    drop(file);
    let state = folder.path().join("state");
    let done = tideline(&[
        "replay",
        path.to_str().unwrap(),
        "--json",
        "--data-dir",
        state.to_str().unwrap(),
    ]);
    assert_eq!(done.status.code(), Some(0), "{}", text(&done.stderr));
    let summary: Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!(summary["events"], 2, "{summary}");
    assert_eq!(summary["rejected"], 8, "{summary}");
    let letters = std::fs::read_to_string(state.join("dead_letters.jsonl")).unwrap();
    assert_eq!(letters.lines().count(), 8);
    for letter in letters.lines() {
        let letter: Value = serde_json::from_str(letter).unwrap();
        assert!(letter["offset"].as_str().unwrap().contains("feed.jsonl:"), "{letter}");
        assert!(letter["reason"].as_str().unwrap().len() > 10, "{letter}");
        assert!(letter["record"].as_str().unwrap().len() <= 200);
    }
}

#[test]
fn an_unknown_key_in_the_topology_is_shown_where_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("topology.yaml");
    std::fs::write(&path, "schema: 1\nlenses:\n  kelly_fracton: 0.3\n").unwrap();
    let done = tideline(&["validate", path.to_str().unwrap()]);
    assert_eq!(done.status.code(), Some(78));
    let said = text(&done.stderr);
    for word in ["topology.yaml:3:3", "kelly_fracton", "did you mean", "kelly_fraction"] {
        assert!(said.contains(word), "{word} in {said}");
    }
}

#[test]
fn wrong_usage_and_missing_files_say_what_to_do() {
    let done = tideline(&["replay", "/no/such/feed"]);
    assert_ne!(done.status.code(), Some(0));
    assert!(text(&done.stderr).contains("/no/such/feed"));
    assert_eq!(tideline(&["frobnicate"]).status.code(), Some(64));
    for command in [
        "run", "replay", "backtest", "predict", "report", "ledger", "validate", "graph",
        "simulate", "journal", "halt", "reduce", "resume",
    ] {
        let help = tideline(&[command, "--help"]);
        assert!(help.status.success());
        assert!(text(&help.stdout).contains("Example"), "{command} --help has an example");
    }
}

#[test]
fn a_rehearsal_never_replaces_a_live_journal_or_its_own_feed() {
    let folder = tempfile::tempdir().unwrap();
    let feed = folder.path().join("feed.jsonl");
    let line = "{\"ts\":1735689600000,\"type\":\"odds\",\"fixture\":\"F|2025-01-01|A|B\",\"book\":\"PS\",\"sel\":\"home\",\"price\":2.5}\n";
    std::fs::write(&feed, line).unwrap();
    let state = folder.path().join("state");
    let go = |feed: &Path, state: &Path| {
        tideline(&[
            "replay",
            feed.to_str().unwrap(),
            "--json",
            "--data-dir",
            state.to_str().unwrap(),
        ])
    };
    assert!(go(&feed, &state).status.success());
    assert!(go(&feed, &state).status.success(), "a rehearsal replaces a rehearsal");
    let refused = go(&state.join("journal"), &state);
    assert_eq!(refused.status.code(), Some(64), "{}", text(&refused.stderr));
    let origin = state.join("origin.json");
    let live = std::fs::read_to_string(&origin).unwrap().replace("rehearsal", "live");
    std::fs::write(&origin, live).unwrap();
    let refused = go(&feed, &state);
    assert_eq!(refused.status.code(), Some(64));
    assert!(text(&refused.stderr).contains("--data-dir"));
}
