//! The journal against everything a crash or a disk can do to it.

mod damage;
mod facts;
mod files;
mod speed;

use std::path::Path;
use std::sync::Arc;

use proptest::prelude::*;
use schema::{NameId, Tick, Time};

use super::{Durability, Entry, Journal, Options, read};
use facts::any_event;

const QUICK: Options = Options { segment_bytes_max: 64 << 20, durability: Durability::Flush };

/// One append: ticks, when received, names.
type Batch = (Vec<Tick>, Time, Vec<(NameId, Arc<str>)>);

/// Writes batches, each in one append, and says what should be read back.
fn write(dir: &Path, options: Options, batches: &[Batch]) -> Vec<Entry> {
    let (mut journal, _) = Journal::create_or_open(dir, options).unwrap();
    let mut entries = Vec::new();
    for (ticks, received, names) in batches {
        journal.append(ticks, *received, names).unwrap();
        entries.extend(expected(ticks, *received, names));
    }
    entries
}

fn expected(ticks: &[Tick], received: Time, names: &[(NameId, Arc<str>)]) -> Vec<Entry> {
    let names_of = |index| if index == 0 { names.to_vec() } else { Vec::new() };
    let entry = |(index, tick): (usize, &Tick)| Entry {
        tick: tick.clone(),
        received,
        names: names_of(index),
    };
    ticks.iter().enumerate().map(entry).collect()
}

fn read_all(dir: &Path) -> Vec<Entry> {
    read(dir).unwrap().collect::<super::Result<_>>().unwrap()
}

fn any_batches() -> impl Strategy<Value = Vec<Batch>> {
    let tick = (any::<i64>(), prop::collection::vec(any_event(), 0..8));
    let ticks = prop::collection::vec(tick, 1..5);
    let names = prop::collection::vec("[A-Za-z0-9 |é-]{1,40}", 0..4);
    let batch = (ticks, any::<i64>(), names);
    prop::collection::vec(batch, 0..8).prop_map(|batches| {
        let mut number = 0;
        let numbered = batches.into_iter().map(|(ticks, received, names)| {
            let ticks = ticks.into_iter().map(|(time, events)| {
                number += 1;
                Tick { number, time: Time::from_ms(time), events }
            });
            let ticks = ticks.collect();
            let names = names.into_iter().map(|n| (NameId::of(&n), Arc::from(n))).collect();
            (ticks, Time::from_ms(received), names)
        });
        numbered.collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn what_is_written_is_read(batches in any_batches(), segment_bytes_max in 1_u64..4_000) {
        let dir = tempfile::tempdir().unwrap();
        let options = Options { segment_bytes_max, ..QUICK };
        let entries = write(dir.path(), options, &batches);
        prop_assert_eq!(read_all(dir.path()), entries.clone());
        let (journal, found) = Journal::create_or_open(dir.path(), options).unwrap();
        prop_assert_eq!(found.last_tick, entries.len() as u64);
        prop_assert_eq!(found.last_time, entries.last().map(|entry| entry.tick.time));
        prop_assert_eq!(found.truncated_bytes, 0);
        prop_assert_eq!(journal.next_tick(), entries.len() as u64 + 1);
    }
}

/// Large batches take several records, and the split must not show.
#[test]
fn a_batch_larger_than_a_record_is_split_between_ticks() {
    let dir = tempfile::tempdir().unwrap();
    let ticks: Vec<Tick> = (1..=400).map(|number| facts::busy_tick(number, 1_000)).collect();
    let received = ticks[0].time;
    let names: Vec<_> = ["E0", "Arsenal"].map(|name| (NameId::of(name), name.into())).to_vec();
    let (mut journal, _) = Journal::create_or_open(dir.path(), QUICK).unwrap();
    journal.append(&ticks, received, &names).unwrap();
    assert_eq!(read_all(dir.path()), expected(&ticks, received, &names));
    let found = super::verify(dir.path()).unwrap();
    assert!(found.bytes > 3 << 20, "{found:?} is no test of splitting");
    assert_eq!((found.ticks, found.events, found.names), (400, 400_000, 2));
    assert_eq!((found.first_tick, found.last_tick, found.segments), (1, 400, 1));
}

/// The bytes of format version 1. When this fails the format has changed: raise the version and
/// keep reading this one.
#[test]
fn format_version_1_is_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), QUICK, &facts::one_of_each());
    let bytes = std::fs::read(dir.path().join("00000000000000000001.tide")).unwrap();
    let line = |(index, bytes): (usize, &[u8])| {
        let hex: Vec<_> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{:04x}  {}\n", index * 16, hex.join(" "))
    };
    let dump: String = bytes.chunks(16).enumerate().map(line).collect();
    insta::assert_snapshot!("format_version_1", dump);
}
