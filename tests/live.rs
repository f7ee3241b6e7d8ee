//! The always-on way: a paced feed, an operator's halt, a stop, a start that goes on from the
//! journal, and a replay of that journal that says what was said.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

fn tideline(dir: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tideline"));
    command.current_dir(dir).args(args).args(["--topology", "live.yaml"]).stdout(Stdio::piped());
    command
}

fn json(command: &mut Command) -> Value {
    let done = command.arg("--json").output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    serde_json::from_slice(&done.stdout).unwrap()
}

/// Waits until a file holds a text; the bound only ends a test that would hang.
fn wait_for(path: &Path, text: &str) {
    for _ in 0..600 {
        if std::fs::read_to_string(path).is_ok_and(|found| found.contains(text)) {
            return;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("{text} never came to {}", path.display());
}

fn terminate(mut running: Child) -> Value {
    let killed = Command::new("kill").args(["-TERM", &running.id().to_string()]).status().unwrap();
    assert!(killed.success());
    let done = running.wait().unwrap();
    assert!(done.success(), "{done:?}");
    serde_json::from_reader(running.stdout.take().unwrap()).unwrap()
}

#[test]
fn run_halt_stop_go_on_and_replay() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    let season =
        sources::simulate::Config { weeks: 8, leagues: 1, ..sources::simulate::Config::default() };
    let mut feed = std::fs::File::create(dir.join("feed.jsonl")).unwrap();
    sources::simulate::Season::new(season).write(&mut feed).unwrap();
    // Eight weeks in about ten seconds.
    let topology = "schema: 1\ndata_dir: ./state\nsources:\n  feed: { type: replay, path: feed.jsonl, speed: 500000x }\n\
                    sinks:\n  suggestions: { type: jsonl }\n  ledger: { type: ledger }\n";
    std::fs::write(dir.join("live.yaml"), topology).unwrap();
    let said = dir.join("state/suggestions.jsonl");

    let first = tideline(dir, &["run", "--json"]).spawn().unwrap();
    wait_for(&said, "\"issued\"");
    assert!(tideline(dir, &["halt", "--reason", "trying it"]).status().unwrap().success());
    let spool = dir.join("state/commands");
    for _ in 0..200 {
        if std::fs::read_dir(&spool).is_ok_and(|mut files| files.next().is_none()) {
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    std::thread::sleep(Duration::from_millis(300));
    let halted = std::fs::read_to_string(&said).unwrap();
    std::thread::sleep(Duration::from_millis(1_500));
    let later = std::fs::read_to_string(&said).unwrap();
    let issued = |text: &str| text.matches("\"action\":\"issued\"").count();
    assert_eq!(issued(&halted), issued(&later), "halted means no new stake");
    let before = terminate(first);

    // Two processes on one data directory: the second is refused. Then the run goes on.
    assert!(tideline(dir, &["resume", "--reason", "tried it"]).status().unwrap().success());
    let second = tideline(dir, &["run", "--json"]).spawn().unwrap();
    std::thread::sleep(Duration::from_millis(1_500));
    let refused = tideline(dir, &["run"]).stderr(Stdio::piped()).output().unwrap();
    assert!(!refused.status.success());
    assert!(
        String::from_utf8_lossy(&refused.stderr).contains("in use by another process"),
        "{refused:?}"
    );
    std::thread::sleep(Duration::from_millis(1_500));
    let after = terminate(second);
    assert!(after["ticks"].as_u64() > before["ticks"].as_u64(), "{before} {after}");
    assert!(after["suggestions"]["issued"].as_u64() >= before["suggestions"]["issued"].as_u64());

    let verified = json(&mut tideline(dir, &["journal", "verify"]));
    assert_eq!(verified["first_error"], Value::Null);
    assert_eq!(verified["ticks"], after["ticks"]);
    let replayed = {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tideline"));
        json(command.current_dir(dir).args(["replay", "state/journal"]))
    };
    assert_eq!(replayed["digest"], after["digest"], "replay is live");
    let ids: Vec<String> = std::fs::read_to_string(&said)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["event_id"].to_string())
        .collect();
    let distinct: std::collections::BTreeSet<_> = ids.iter().collect();
    assert_eq!(distinct.len(), ids.len(), "nothing twice");
    let messages: u64 = ["issued", "revised", "withdrawn", "expired", "settled", "corrected"]
        .iter()
        .map(|action| after["suggestions"][*action].as_u64().unwrap())
        .sum();
    assert_eq!(messages, ids.len() as u64, "nothing lost");
}
