//! Replay is live: the same facts give the same bytes, whatever the batching, the number of
//! workers or the way they come (feed or journal), and the same views whatever the order.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::{
    Seen, assert_same_views, decisions, decisions_by_form, decisions_by_hgt, run, seasons,
    shuffled, simulated,
};
use tideline::journal;
use tideline::setup::{Decisions, Facts, Rehearsal};

fn digest(facts: &Facts, decisions: &Decisions, ticks_per_step: usize, workers: usize) -> String {
    run(facts.clone(), decisions, ticks_per_step, workers).0.digest()
}

fn any_batching_and_workers(facts: &Facts, decisions: &Decisions) {
    let (engine, seen) = run(facts.clone(), decisions, 100, 1);
    assert!(seen.messages.len() > 20, "there is something to compare: {}", seen.messages.len());
    for (ticks_per_step, workers) in [(1, 1), (10_000, 1), (100, 2), (7, 3)] {
        assert_eq!(
            digest(facts, decisions, ticks_per_step, workers),
            engine.digest(),
            "{ticks_per_step} {workers}"
        );
    }
}

#[test]
fn a_made_up_season_is_the_same_in_any_batching() {
    any_batching_and_workers(&simulated(3), &decisions());
}

#[test]
fn real_seasons_are_the_same_in_any_batching() {
    let Some(facts) = seasons(&["E0_2122", "E0_2223", "SP1_2223"]) else { return };
    any_batching_and_workers(&facts, &decisions());
}

#[test]
fn real_seasons_priced_by_form_are_the_same_in_any_batching() {
    let Some(facts) = seasons(&["E0_2122", "E0_2223", "SP1_2223"]) else { return };
    any_batching_and_workers(&facts, &decisions_by_form());
}

#[test]
fn real_seasons_priced_by_the_graph_are_the_same_in_any_batching() {
    let Some(facts) = seasons(&["E0_2223", "SP1_2223"]) else { return };
    any_batching_and_workers(&facts, &decisions_by_hgt());
}

/// Shuffled within a bound and doubled, the facts come to the same views.
fn any_order(facts: &Facts) {
    let straight = run(facts.clone(), &decisions(), 100, 1).1.views;
    for seed in 1..=3 {
        let events = shuffled(facts.events.clone(), 40, seed);
        let mixed = Facts { names: facts.names.clone(), events };
        let (engine, seen) = run(mixed, &decisions(), 50, 1);
        assert_eq!(engine.counts().rejected, 0, "{:?}", engine.dead_letters().kept().first());
        assert_same_views(&seen.views, &straight, &format!("shuffle {seed}"));
    }
    let doubled = facts.events.iter().flat_map(|event| [event.clone(), event.clone()]).collect();
    let doubled = Facts { names: facts.names.clone(), events: doubled };
    assert_same_views(&run(doubled, &decisions(), 100, 2).1.views, &straight, "doubled");
}

#[test]
fn a_made_up_season_comes_to_the_same_views_in_any_order() {
    any_order(&simulated(4));
}

#[test]
fn a_real_season_comes_to_the_same_views_in_any_order() {
    let Some(facts) = seasons(&["E0_2223"]) else { return };
    any_order(&facts);
}

#[test]
fn the_journal_replays_as_it_ran() {
    replays_as_it_ran(decisions());
}

#[test]
fn a_journal_priced_by_form_replays_as_it_ran() {
    replays_as_it_ran(decisions_by_form());
}

/// The models that were live are in the journal: nothing is trained again.
#[test]
fn a_journal_priced_by_the_graph_replays_as_it_ran() {
    replays_as_it_ran_with(22, decisions_by_hgt());
}

/// Trainings that are done are taken from the folder, and what comes of them is the same.
#[test]
fn an_interrupted_backtest_goes_on_and_comes_to_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let kept = folder.path().join("trainings");
    let names = || {
        let mut names: Vec<_> =
            std::fs::read_dir(&kept).unwrap().map(|it| it.unwrap().path()).collect();
        names.sort();
        names
    };
    let rehearse = |resume: Option<&std::path::Path>| {
        let config = sources::simulate::Config::default();
        let sources = [("feed".to_owned(), sources::SourceConfig::Simulate(config))];
        let done = Rehearsal::of_feeds(sources.into(), Vec::new(), decisions_by_hgt())
            .trainings(resume.map(Into::into))
            .run(&mut (), |_, _| {})
            .unwrap();
        (done.summary.digest, done.summary.challengers)
    };
    let straight = rehearse(None);
    assert!(straight.1 > 3, "{straight:?}");
    assert_eq!(rehearse(Some(&kept)), straight);
    let all = names();
    assert_eq!(all.len() as u64, straight.1);
    // Interrupted: some trainings are missing, one was cut short.
    let made = |path: &std::path::Path| std::fs::metadata(path).unwrap().modified().unwrap();
    std::fs::remove_file(&all[0]).unwrap();
    std::fs::write(&all[1], b"cut short").unwrap();
    let whole = made(&all[2]);
    assert_eq!(rehearse(Some(&kept)), straight);
    assert_eq!(names(), all);
    assert_eq!(made(&all[2]), whole, "what was done is not done again");
}

/// The journal that a run wrote gives the run again.
fn replays_as_it_ran(decisions: Decisions) {
    replays_as_it_ran_with(10, decisions);
}

fn replays_as_it_ran_with(weeks: u16, decisions: Decisions) {
    let config = sources::simulate::Config { weeks, ..sources::simulate::Config::default() };
    let sources = [("feed".to_owned(), sources::SourceConfig::Simulate(config))];
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("state");
    let first = Rehearsal::of_feeds(sources.into(), Vec::new(), decisions)
        .data_dir(Some(dir.clone()))
        .run(&mut (), |_, _| {})
        .unwrap();
    assert!(first.failed.is_empty());
    assert!(
        first.summary.suggestions.issued > 0 && first.summary.models > 3,
        "{:?}",
        first.summary
    );
    let mut seen = Seen::default();
    let again = Rehearsal::of_journal(dir.join("journal"), None)
        .unwrap()
        .ticks_per_step(1_000)
        .workers(2)
        .run(&mut seen, |_, _| {})
        .unwrap();
    assert_eq!(again.summary.digest, first.summary.digest);
    assert_eq!(again.summary.ticks, first.summary.ticks);
    assert_eq!(again.summary.suggestions, first.summary.suggestions);
    let written = std::fs::read_to_string(dir.join("suggestions.jsonl")).unwrap();
    let lines: Vec<&str> = written.lines().collect();
    assert_eq!(lines.len(), seen.messages.len());
    assert!(lines.iter().zip(&seen.messages).all(|(line, (_, message))| line == message));
    assert_eq!(journal::verify(&dir.join("journal")).unwrap().ticks, first.summary.ticks);
}
