//! Trained models are recorded, compared, promoted and rolled back; what prices goes through the
//! journal, so a replay prices with the models that were live.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use serde_json::Value;

fn tideline(dir: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tideline")).current_dir(dir).args(args).output().unwrap()
}

fn json(dir: &Path, args: &[&str]) -> Value {
    let done = tideline(dir, &[args, &["--json"]].concat());
    assert!(done.status.success(), "{args:?}: {}", String::from_utf8_lossy(&done.stderr));
    serde_json::from_slice(&done.stdout).unwrap()
}

fn feed(dir: &Path, weeks: u16) {
    let season =
        sources::simulate::Config { weeks, leagues: 1, ..sources::simulate::Config::default() };
    let mut feed = std::fs::File::create(dir.join("feed.jsonl")).unwrap();
    sources::simulate::Season::new(season).write(&mut feed).unwrap();
}

fn refused(dir: &Path, args: &[&str], word: &str) {
    let done = tideline(dir, args);
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(!done.status.success() && said.contains(word), "{args:?}: {said}");
}

#[test]
fn every_window_leaves_a_model_that_can_be_looked_at() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    feed(dir, 10);
    refused(dir, &["models", "list", "--data-dir", "state"], "no models yet");
    let summary = json(dir, &["replay", "feed.jsonl", "--data-dir", "state"]);
    let models = json(dir, &["models", "list", "--data-dir", "state"]);
    let models = models.as_array().unwrap();
    assert_eq!(models.len() as u64, summary["models"].as_u64().unwrap());
    assert!(models.len() > 5, "{}", models.len());
    assert_eq!(models[0]["parent"], Value::Null);
    for pair in models.windows(2) {
        assert_eq!(pair[1]["parent"], pair[0]["digest"], "each learned on from the one before");
        assert_eq!(
            pair[1]["ticks"][0].as_u64().unwrap(),
            pair[0]["ticks"][1].as_u64().unwrap() + 1,
            "no tick is left out or counted twice"
        );
        assert_ne!(pair[1]["data_digest"], pair[0]["data_digest"]);
        assert!(pair[1]["metrics"]["markets"].as_f64().unwrap() > 0.0);
    }
    let last = models.last().unwrap()["digest"].as_str().unwrap();
    let shown = json(dir, &["models", "show", "champion", "--data-dir", "state"]);
    assert_eq!(shown["digest"], last);
    let text = tideline(dir, &["models", "diff", "champion", &last[..8], "--data-dir", "state"]);
    assert!(text.status.success());
    refused(dir, &["models", "show", "ffffffff", "--data-dir", "state"], "models list");
    let object = dir.join("state/models/objects").join(last);
    let mut bytes = std::fs::read(&object).unwrap();
    bytes.truncate(bytes.len() / 2);
    std::fs::write(&object, bytes).unwrap();
    for command in ["show", "promote"] {
        let args = ["models", command, "champion", "--data-dir", "state"];
        refused(dir, &args, "not what was stored");
    }
}

#[test]
fn the_same_feed_gives_the_same_models() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    feed(dir, 6);
    let models = |state: &str, batch: &str| {
        json(dir, &["replay", "feed.jsonl", "--data-dir", state, "--batch", batch]);
        json(dir, &["models", "list", "--data-dir", state])
    };
    assert_eq!(models("one", "1"), models("many", "1000"));
}

#[test]
fn a_rollback_is_obeyed_journalled_and_replayed() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    feed(dir, 10);
    // Ten weeks in about twenty seconds.
    let topology = "schema: 1\ndata_dir: ./state\nsources:\n  feed: { type: replay, path: feed.jsonl, speed: 300000x }\n\
                    sinks:\n  suggestions: { type: jsonl }\n";
    std::fs::write(dir.join("live.yaml"), topology).unwrap();
    let live = ["--topology", "live.yaml"];
    let running = Command::new(env!("CARGO_BIN_EXE_tideline"))
        .current_dir(dir)
        .args(["run", "--json"])
        .args(live)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let runs = dir.join("state/models/runs");
    let count = || std::fs::read_dir(&runs).map_or(0, Iterator::count);
    for _ in 0..600 {
        if count() >= 3 {
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    let parent = json(dir, &["models", "show", "champion", "--topology", "live.yaml"])["parent"]
        .as_str()
        .unwrap()
        .to_owned();
    json(dir, &["models", "promote", &parent, "--topology", "live.yaml"]);
    // A wish that cannot be granted is a dead letter, and nothing stops.
    let wish = dir.join("state/commands/9999-0.json");
    std::fs::write(&wish, r#"{"promote":"0123456789abcdef"}"#).unwrap();
    let done = running.wait_with_output().unwrap();
    assert!(done.status.success());
    let summary: Value = serde_json::from_slice(&done.stdout).unwrap();
    let dump = tideline(dir, &["journal", "dump", "state/journal"]);
    let dump = String::from_utf8(dump.stdout).unwrap();
    let lives: Vec<Value> = dump
        .lines()
        .filter(|line| line.contains("\"model_live\""))
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let times = lives.iter().filter(|live| live["digest"] == parent.as_str()).count();
    assert_eq!(times, 2, "it went live when it was trained and again when it was wanted");
    assert_eq!(lives.len() as u64, summary["models"].as_u64().unwrap());
    let letters = std::fs::read_to_string(dir.join("state/dead_letters.jsonl")).unwrap();
    assert!(letters.contains("no model 0123456789abcdef"), "{letters}");
    let replayed = json(dir, &["replay", "state/journal"]);
    assert_eq!(replayed["digest"], summary["digest"], "replay is live");
}

#[test]
fn a_sweep_says_which_settings_learned_best() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    feed(dir, 22);
    let topology = "schema: 1\nsources: { feed: { type: replay, path: feed.jsonl } }\n\
                    model: { type: hgt, heads: 2, layers: 1, steps: 10, fixtures_min: 130,\n  \
                    validate_fixtures: 20, gate_fixtures: 10, form: { markets_min: 50 },\n  \
                    sweep: { learning_rates: [0.001, 0.01], hiddens: [4], dropouts: [0.0, 0.2] } }\n";
    std::fs::write(dir.join("hgt.yaml"), topology).unwrap();
    let swept = json(dir, &["sweep", "feed.jsonl", "--topology", "hgt.yaml"]);
    let trials = swept["trials"].as_array().unwrap();
    assert_eq!(trials.len(), 4);
    let loss = |at: usize| trials[at]["validate_loss"].as_f64().unwrap();
    assert!((1..4).all(|at| loss(at - 1) <= loss(at)), "{trials:?}");
    let text = tideline(dir, &["sweep", "feed.jsonl", "--topology", "hgt.yaml"]);
    let text = String::from_utf8_lossy(&text.stdout).into_owned();
    assert!(text.contains("    type: hgt\n    hidden: 4\n"), "{text}");
    // Too few fixtures for the settings as they are: said, with what to do.
    refused(dir, &["sweep", "feed.jsonl"], "too few settled fixtures");
}

#[test]
fn a_live_run_trains_beside_the_stream_and_its_replay_obeys() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    let season = sources::simulate::Config::default();
    let mut file = std::fs::File::create(dir.join("feed.jsonl")).unwrap();
    sources::simulate::Season::new(season).write(&mut file).unwrap();
    // Twenty-two weeks in about fifteen seconds: paced, so it is live and never waits.
    let topology = "schema: 1\ndata_dir: ./state\n\
                    sources: { feed: { type: replay, path: feed.jsonl, speed: 900000x } }\n\
                    model: { type: hgt, members: 1, hidden: 4, heads: 2, layers: 1, steps: 10, warm_steps: 5,\n  \
                    fixtures_min: 130, validate_fixtures: 20, gate_fixtures: 10,\n  \
                    form: { markets_min: 50 } }\n";
    std::fs::write(dir.join("live.yaml"), topology).unwrap();
    let running = Command::new(env!("CARGO_BIN_EXE_tideline"))
        .current_dir(dir)
        .args(["run", "--topology", "live.yaml", "--json"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    std::thread::sleep(Duration::from_secs(25));
    let killed = Command::new("kill").args(["-TERM", &running.id().to_string()]).status().unwrap();
    assert!(killed.success());
    let done = running.wait_with_output().unwrap();
    assert!(done.status.success());
    let ran: Value = serde_json::from_slice(&done.stdout).unwrap();
    assert!(ran["challengers"].as_u64().unwrap() > 0, "{ran}");
    assert_eq!(ran["trainings_failed"], 0, "{ran}");
    let replayed = json(dir, &["replay", "state/journal"]);
    assert_eq!(replayed["digest"], ran["digest"]);
    assert_eq!(replayed["challengers"], 0, "a replay trains nothing");
}
