//! Cuts and flips at every place: a reader sees a prefix, and never something else.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};

use super::super::{Error, Journal, Options, read, verify};
use super::{Entry, QUICK, facts, read_all, write};

const LAST: &str = "00000000000000000003.tide";

/// One match in two segments: the last holds one record.
fn two_segments(dir: &Path) -> Vec<Entry> {
    let options = Options { segment_bytes_max: 500, ..QUICK };
    let entries = write(dir, options, &facts::one_of_each());
    assert!(dir.join(LAST).exists(), "the journal is to have a second segment");
    entries
}

fn cut(path: &Path, length: u64) {
    OpenOptions::new().write(true).open(path).unwrap().set_len(length).unwrap();
}

/// What a reader yields before it ends, and how it ends.
fn read_what_can_be(dir: &Path) -> (Vec<Entry>, Option<Error>, u64) {
    let mut reader = read(dir).unwrap();
    let mut entries = Vec::new();
    let mut error = None;
    for entry in &mut reader {
        match entry {
            Ok(entry) => entries.push(entry),
            Err(found) => error = Some(found),
        }
    }
    assert!(reader.next().is_none(), "a reader that has ended stays so");
    let torn = reader.torn_tail().map_or(0, |torn| torn.bytes);
    (entries, error, torn)
}

#[test]
fn a_cut_at_any_byte_leaves_a_prefix_that_goes_on() {
    let original = tempfile::tempdir().unwrap();
    let entries = write(original.path(), QUICK, &facts::one_of_each());
    let name = "00000000000000000001.tide";
    let bytes = std::fs::read(original.path().join(name)).unwrap();
    let mut lengths_seen = std::collections::BTreeSet::new();
    for length in 0..bytes.len() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(name), &bytes[..length]).unwrap();
        let (found, error, torn) = read_what_can_be(dir.path());
        assert!(error.is_none(), "cut at {length}: {error:?}");
        assert_eq!(found, entries[..found.len()], "cut at {length}");
        lengths_seen.insert(found.len());

        let (mut journal, recovery) = Journal::create_or_open(dir.path(), QUICK).unwrap();
        assert_eq!(recovery.truncated_bytes, torn, "cut at {length}");
        assert_eq!(recovery.last_tick, found.len() as u64, "cut at {length}");
        let next = facts::busy_tick(journal.next_tick(), 2);
        journal.append(std::slice::from_ref(&next), next.time, &[]).unwrap();
        let again = read_all(dir.path());
        assert_eq!(again[..found.len()], found);
        assert_eq!(again[found.len()].tick, next, "cut at {length}");
        assert_eq!(again.len(), found.len() + 1);
    }
    assert_eq!(lengths_seen, [0, 1, 2].into(), "the two last ticks are one record");
}

#[test]
fn a_flipped_bit_anywhere_is_noticed() {
    let original = tempfile::tempdir().unwrap();
    let entries = two_segments(original.path());
    let (mut damaged, mut torn_tails) = (0, 0);
    for name in ["00000000000000000001.tide", LAST] {
        let path = original.path().join(name);
        let bytes = std::fs::read(&path).unwrap();
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            std::fs::write(&path, &flipped).unwrap();
            let (found, error, torn) = read_what_can_be(original.path());
            assert_eq!(found, entries[..found.len()], "{name}, bit {bit}");
            assert!(error.is_some() || torn > 0, "{name}, bit {bit}: not noticed");
            damaged += u32::from(error.is_some());
            torn_tails += u32::from(torn > 0);
        }
        std::fs::write(&path, &bytes).unwrap();
    }
    assert!(damaged > 0 && torn_tails > 0);
}

#[test]
fn damage_before_readable_records_is_no_torn_tail() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), QUICK, &facts::one_of_each());
    let path = dir.path().join("00000000000000000001.tide");
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[60] ^= 0xff;
    std::fs::write(&path, &bytes).unwrap();
    let (found, error, _) = read_what_can_be(dir.path());
    assert!(found.is_empty());
    let Some(Error::Damaged { offset, resumes_at, .. }) = &error else { panic!("{error:?}") };
    assert_eq!(*offset, 24);
    assert!(resumes_at.is_some_and(|at| at > 60));
    let message = error.map(|error| error.to_string()).unwrap_or_default();
    let message = message.replace(&dir.path().display().to_string(), "DIR");
    insta::assert_snapshot!(message);
    assert!(matches!(Journal::create_or_open(dir.path(), QUICK), Err(Error::Damaged { .. })));
    assert_eq!(std::fs::read(&path).unwrap(), bytes, "damage is left as it is found");
    assert!(verify(dir.path()).unwrap().first_error.is_some());
}

#[test]
fn only_the_last_segment_may_be_cut_short() {
    let dir = tempfile::tempdir().unwrap();
    two_segments(dir.path());
    let first = dir.path().join("00000000000000000001.tide");
    let length = first.metadata().unwrap().len();
    cut(&first, length - 1);
    let (found, error, torn) = read_what_can_be(dir.path());
    assert_eq!((found.len(), torn), (1, 0));
    assert!(matches!(error, Some(Error::Damaged { resumes_at: None, .. })), "{error:?}");
    std::fs::remove_file(&first).unwrap();
    assert_eq!(read_all(dir.path()).len(), 2, "a journal may start late: the rest was compacted");
}

#[test]
fn a_missing_segment_is_a_gap() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options { segment_bytes_max: 1, ..QUICK };
    write(dir.path(), options, &facts::one_of_each());
    std::fs::remove_file(dir.path().join("00000000000000000002.tide")).unwrap();
    let (found, error, _) = read_what_can_be(dir.path());
    assert_eq!(found.len(), 1);
    assert!(matches!(error, Some(Error::Gap { expected: 2, found: 3, .. })), "{error:?}");
}

#[test]
fn a_tail_of_zeros_is_torn() {
    let dir = tempfile::tempdir().unwrap();
    let entries = two_segments(dir.path());
    let path = dir.path().join(LAST);
    let length = path.metadata().unwrap().len();
    cut(&path, length + 3_000_000);
    let (found, error, torn) = read_what_can_be(dir.path());
    assert!(error.is_none());
    assert_eq!((found, torn), (entries, 3_000_000));
}

fn header_of(dir: &Path, change: impl Fn(&mut Vec<u8>)) -> Error {
    let path: PathBuf = dir.join(LAST);
    let original = std::fs::read(&path).unwrap();
    let mut bytes = original.clone();
    change(&mut bytes);
    std::fs::write(&path, &bytes).unwrap();
    let error = read(dir).unwrap().find_map(Result::err);
    std::fs::write(&path, &original).unwrap();
    error.unwrap()
}

#[test]
fn other_files_and_newer_formats_are_told_apart() {
    let dir = tempfile::tempdir().unwrap();
    two_segments(dir.path());
    let with_version = |bytes: &mut Vec<u8>| {
        bytes[8] = 9;
        let check = crc32fast::hash(&bytes[..20]);
        bytes[20..24].copy_from_slice(&check.to_le_bytes());
    };
    let newer = header_of(dir.path(), with_version);
    assert!(matches!(newer, Error::NewerFormat { found: 9, known: 1, .. }), "{newer}");
    let other = header_of(dir.path(), |bytes| bytes[..8].copy_from_slice(b"\x89PNG\r\n\x1a\n"));
    assert!(matches!(other, Error::NotASegment { .. }), "{other}");
    std::fs::rename(dir.path().join(LAST), dir.path().join("00000000000000000004.tide")).unwrap();
    File::create(dir.path().join("notes.tide")).unwrap();
    let (_, renamed, _) = read_what_can_be(dir.path());
    assert!(matches!(renamed, Some(Error::Gap { expected: 3, found: 4, .. })), "{renamed:?}");
}
