//! Segments, the lock, and a system that refuses.

use std::fs::OpenOptions;

use super::super::{Durability, Error, Journal, Options, read};
use super::{QUICK, expected, facts, read_all};

#[test]
fn segments_roll_and_continue() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options { segment_bytes_max: 2_000, durability: Durability::Sync };
    let mut entries = Vec::new();
    for number in 1..=40 {
        // Opened anew each time, as after forty crashes.
        let (mut journal, found) = Journal::create_or_open(dir.path(), options).unwrap();
        assert_eq!(found.last_tick, number - 1);
        let tick = facts::busy_tick(number, 20);
        journal.append(std::slice::from_ref(&tick), tick.time, &[]).unwrap();
        entries.extend(expected(std::slice::from_ref(&tick), tick.time, &[]));
    }
    assert_eq!(read_all(dir.path()), entries);
    let found = super::super::verify(dir.path()).unwrap();
    assert!(found.segments > 4, "{found:?}");
    for file in std::fs::read_dir(dir.path()).unwrap() {
        let file = file.unwrap();
        assert!(file.metadata().unwrap().len() <= 2_000, "{:?}", file.path());
    }
}

#[test]
fn one_writer_at_a_time() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = Journal::create_or_open(dir.path(), QUICK).unwrap();
    let refused = Journal::create_or_open(dir.path(), QUICK).err().unwrap();
    assert!(matches!(refused, Error::Locked { .. }));
    assert!(read(dir.path()).unwrap().next().is_none(), "readers need no lock");
    drop(journal);
    assert!(Journal::create_or_open(dir.path(), QUICK).is_ok());
}

#[test]
fn ticks_follow_on() {
    let dir = tempfile::tempdir().unwrap();
    let (mut journal, _) = Journal::create_or_open(dir.path(), QUICK).unwrap();
    let ticks = [facts::busy_tick(1, 1), facts::busy_tick(3, 1)];
    let refused = journal.append(&ticks, ticks[0].time, &[]).unwrap_err();
    assert!(matches!(refused, Error::Gap { expected: 2, found: 3, .. }), "{refused}");
    journal.append(&ticks[..1], ticks[0].time, &[]).unwrap();
    assert_eq!(journal.next_tick(), 2);
    assert_eq!(read_all(dir.path()).len(), 1, "nothing of the refused append was written");
}

#[test]
fn a_missing_directory_and_one_that_is_a_file_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let missing = dir.path().join("nowhere");
    let error = read(&missing).err().unwrap().to_string();
    assert!(error.contains("nowhere") && error.contains("check the path"), "{error}");
    let file = dir.path().join("file");
    std::fs::write(&file, "x").unwrap();
    let error = Journal::create_or_open(&file, QUICK).err().unwrap().to_string();
    assert!(error.contains("create the directory"), "{error}");
}

#[test]
fn a_tick_too_large_for_a_record_is_refused_whole() {
    let dir = tempfile::tempdir().unwrap();
    let (mut journal, _) = Journal::create_or_open(dir.path(), QUICK).unwrap();
    let huge = facts::busy_tick(1, 2_000_000);
    let refused = journal.append(&[huge], schema::Time::from_ms(0), &[]).unwrap_err();
    assert!(matches!(refused, Error::TickTooLarge { tick: 1, .. }), "{refused}");
    let tick = facts::busy_tick(1, 10);
    journal.append(std::slice::from_ref(&tick), tick.time, &[]).unwrap();
    assert_eq!(read_all(dir.path())[0].tick, tick);
}

/// `/dev/full` refuses every write as a full disk does, and cannot be cut back: the journal must
/// say so and take nothing more, rather than write behind half a record.
#[cfg(target_os = "linux")]
#[test]
fn a_failure_that_cannot_be_undone_ends_the_journal() {
    let dir = tempfile::tempdir().unwrap();
    let (mut journal, _) = Journal::create_or_open(dir.path(), QUICK).unwrap();
    let ticks = [facts::busy_tick(1, 3), facts::busy_tick(2, 3)];
    journal.append(&ticks[..1], ticks[0].time, &[]).unwrap();
    let full = OpenOptions::new().append(true).open("/dev/full").unwrap();
    journal.replace_file(full);
    let first = journal.append(&ticks[1..], ticks[1].time, &[]).unwrap_err().to_string();
    assert!(first.contains("free some space"), "{first}");
    let second = journal.append(&ticks[1..], ticks[1].time, &[]).unwrap_err();
    assert!(matches!(second, Error::Failed { .. }), "{second}");
    drop(journal);
    let (mut journal, found) = Journal::create_or_open(dir.path(), QUICK).unwrap();
    assert_eq!(found.last_tick, 1);
    journal.append(&ticks[1..], ticks[1].time, &[]).unwrap();
    assert_eq!(read_all(dir.path()).len(), 2);
}

/// A real full disk, where there is one to fill: give a small file system's directory in
/// `TIDELINE_SMALL_DISK`.
#[test]
#[ignore = "needs a small file system: mount -t tmpfs -o size=1m none DIR"]
fn a_full_disk_refuses_and_recovers() {
    let dir = std::env::var("TIDELINE_SMALL_DISK").unwrap();
    let dir = std::path::Path::new(&dir).join("journal");
    let (mut journal, _) = Journal::create_or_open(&dir, QUICK).unwrap();
    let ballast = dir.join("ballast");
    std::fs::write(&ballast, vec![1; 400 << 10]).unwrap();
    let refused = loop {
        let tick = facts::busy_tick(journal.next_tick(), 1_000);
        if let Err(error) = journal.append(std::slice::from_ref(&tick), tick.time, &[]) {
            break error;
        }
    };
    assert!(refused.to_string().contains("free some space"), "{refused}");
    let kept = read_all(&dir).len() as u64;
    assert_eq!(kept + 1, journal.next_tick());
    std::fs::remove_file(&ballast).unwrap();
    let tick = facts::busy_tick(journal.next_tick(), 1_000);
    journal.append(std::slice::from_ref(&tick), tick.time, &[]).unwrap();
    assert_eq!(read_all(&dir).len() as u64, kept + 1);
}
