//! A bet that was really placed replaces what the paper account assumed; one that cannot be entered
//! is a dead letter that says why.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::sync::Arc;

use common::{decisions, run, simulated};
use schema::{Action, Event, Fact, Fill, Money, Odds, RegionId, SourceId, Suggestion, Time};
use tideline::setup::Facts;

fn fill(at: Time, suggestion: &str, odds: f64, stake: f64) -> Event {
    let (odds, stake) = (Odds::new(odds).unwrap(), Money::new(stake).unwrap());
    let fill = Fill { suggestion: suggestion.to_owned(), odds, stake };
    Event {
        event_time: at,
        received_time: at,
        sequence: 0,
        source: SourceId::of("desk"),
        region: RegionId::default(),
        fact: Fact::Fill(Box::new(fill)),
    }
}

/// The first suggestion of a season that is settled later.
fn first_settled(facts: &Facts) -> (Arc<Suggestion>, Arc<Suggestion>) {
    let (_, seen) = run(facts.clone(), &decisions(), 1, 1);
    let settled = seen.suggestions.iter().find(|s| s.action == Action::Settled).unwrap();
    let id = settled.suggestion_id;
    let issued = seen.suggestions.iter().find(|s| s.suggestion_id == id).unwrap();
    (Arc::clone(issued), Arc::clone(settled))
}

#[test]
fn a_fill_replaces_the_paper_bet_and_what_cannot_be_entered_is_a_dead_letter() {
    let facts = simulated(5);
    let (issued, settled) = first_settled(&facts);
    let id = issued.suggestion_id.to_string();
    let soon = Time::from_ms(issued.event_time.ms() + 1);
    let late = Time::from_ms(settled.event_time.ms() + 1);
    let extra = [
        fill(soon, &id, 1.5, 12.5),
        fill(soon, "not an id", 2.0, 10.0),
        fill(soon, "00ff", 2.0, 10.0),
        fill(soon, &id, 2.0, 1e9),
        fill(late, &id, 2.0, 10.0),
    ];
    let mut events = facts.events.clone();
    events.extend(extra);
    events.sort_by_key(|event| (event.event_time, event.sequence));
    let facts = Facts { names: facts.names.clone(), events };
    let (engine, _) = run(facts, &decisions(), 1, 1);
    let ledger = engine.counts().ledger();
    let row = ledger.iter().find(|row| row.game_id == issued.fixture).unwrap();
    assert_eq!((row.odds, row.stake), (Odds::new(1.5).unwrap(), Money::new(12.5).unwrap()));
    let letters: Vec<_> = engine.dead_letters().kept().iter().collect();
    let reasons: Vec<&str> = letters.iter().map(|letter| letter.reason.as_str()).collect();
    let words = ["hexadecimal", "no suggestion has this id", "more than the", "settled"];
    assert_eq!(reasons.len(), words.len(), "{reasons:?}");
    for (reason, word) in reasons.iter().zip(words) {
        assert!(reason.contains(word), "{word}: {reason}");
    }
    assert!(letters[0].record.contains("not an id"), "{}", letters[0].record);
}
