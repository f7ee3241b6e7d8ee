//! Segment files and the frame around each record.
//!
//! ```text
//! segment = header, record*                      named <first tick, 20 digits>.tide
//! header  = "tidejrnl", version u32, first tick u64, crc32 of the 20 bytes before
//! record  = length u32, crc32 of the payload, crc32 of the 8 bytes before, payload
//! ```
//!
//! Fixed-width numbers are little-endian. A record's frame has its own checksum, so that a damaged
//! length is told apart from a payload that was cut short, and the next good record can be found.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use super::error::{Error, Result};

/// First bytes of every segment.
const MAGIC: &[u8; 8] = b"tidejrnl";
/// The format written by this program, and the newest it reads.
pub const FORMAT_VERSION: u32 = 1;
/// Length of a segment's header, the same in every version.
pub(super) const HEADER_BYTES: usize = 24;
/// Length of the frame before a payload.
pub(super) const FRAME_BYTES: usize = 12;
/// Longest payload of a record.
pub const RECORD_BYTES_MAX: usize = 16 << 20;
/// Extension of segment files.
const EXTENSION: &str = "tide";
/// How much is looked through at once for a readable record.
const SCAN_BYTES: usize = 1 << 20;

/// A segment file and the tick it starts with.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Segment {
    pub(super) first_tick: u64,
    pub(super) path: PathBuf,
}

impl Segment {
    /// The segment that starts with a tick.
    pub(super) fn at(dir: &Path, first_tick: u64) -> Self {
        Self { first_tick, path: dir.join(format!("{first_tick:020}.{EXTENSION}")) }
    }

    /// All segments of a journal in order. Other files are left alone.
    pub(super) fn list(dir: &Path) -> Result<Vec<Self>> {
        let mut segments = Vec::new();
        let failed = || Error::io("list", dir);
        for entry in std::fs::read_dir(dir).map_err(failed())? {
            let path = entry.map_err(failed())?.path();
            let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
            let named = path.extension().is_some_and(|e| e == EXTENSION) && stem.len() == 20;
            if let (true, Ok(first_tick)) = (named, stem.parse()) {
                if first_tick == 0 {
                    return Err(Error::NotASegment { path });
                }
                segments.push(Self { first_tick, path });
            }
        }
        segments.sort_unstable();
        Ok(segments)
    }

    /// Opens the segment for reading behind its header; `None` when the header was cut short.
    pub(super) fn open(&self) -> Result<Option<File>> {
        let mut file = File::open(&self.path).map_err(Error::io("open", &self.path))?;
        let mut header = [0; HEADER_BYTES];
        let length = read_fully(&mut file, &mut header).map_err(Error::io("read", &self.path))?;
        if length < HEADER_BYTES {
            return Ok(None);
        }
        self.check_header(&header)?;
        Ok(Some(file))
    }

    fn check_header(&self, header: &[u8; HEADER_BYTES]) -> Result<()> {
        let path = || self.path.clone();
        let (said, computed) = (word(header, 20), crc32fast::hash(&header[..20]));
        if &header[..8] != MAGIC {
            return Err(Error::NotASegment { path: path() });
        }
        let damaged = |reason: &str| {
            Err(Error::Damaged { path: path(), offset: 0, reason: reason.into(), resumes_at: None })
        };
        if said != computed {
            return damaged("the header fails its checksum");
        }
        let found = word(header, 8);
        if found > FORMAT_VERSION {
            return Err(Error::NewerFormat { path: path(), found, known: FORMAT_VERSION });
        }
        if long(header, 12) != self.first_tick {
            return damaged("the file was renamed: its header starts with another tick");
        }
        Ok(())
    }
}

/// The header of a new segment.
pub(super) fn header(first_tick: u64) -> [u8; HEADER_BYTES] {
    let mut header = [0; HEADER_BYTES];
    header[..8].copy_from_slice(MAGIC);
    header[8..12].copy_from_slice(&FORMAT_VERSION.to_le_bytes());
    header[12..20].copy_from_slice(&first_tick.to_le_bytes());
    let check = crc32fast::hash(&header[..20]);
    header[20..].copy_from_slice(&check.to_le_bytes());
    header
}

/// The frame of a payload.
pub(super) fn frame(payload: &[u8]) -> [u8; FRAME_BYTES] {
    debug_assert!(payload.len() <= RECORD_BYTES_MAX);
    let mut frame = [0; FRAME_BYTES];
    frame[..4].copy_from_slice(&(payload.len() as u32).to_le_bytes());
    frame[4..8].copy_from_slice(&crc32fast::hash(payload).to_le_bytes());
    let check = crc32fast::hash(&frame[..8]);
    frame[8..].copy_from_slice(&check.to_le_bytes());
    frame
}

/// Length and checksum of the payload behind a frame, when the frame itself is whole.
fn read_frame(frame: &[u8; FRAME_BYTES]) -> Option<(usize, u32)> {
    let length = word(frame, 0) as usize;
    let whole = word(frame, 8) == crc32fast::hash(&frame[..8]);
    (whole && length <= RECORD_BYTES_MAX).then(|| (length, word(frame, 4)))
}

/// What stands at the current position of a segment.
pub(super) enum Record {
    /// A whole record; its payload is in the buffer.
    Whole,
    /// The end of the segment.
    End,
    /// Something that is not a whole record, and what is wrong with it.
    Bad(&'static str),
}

/// Reads the record at the current position into `payload`.
pub(super) fn read_record(file: &mut impl Read, payload: &mut Vec<u8>) -> std::io::Result<Record> {
    let mut frame = [0; FRAME_BYTES];
    match read_fully(file, &mut frame)? {
        0 => return Ok(Record::End),
        FRAME_BYTES => {}
        _ => return Ok(Record::Bad("the file ends inside a record's frame")),
    }
    let Some((length, check)) = read_frame(&frame) else {
        return Ok(Record::Bad("a record's frame fails its checksum"));
    };
    payload.clear();
    file.by_ref().take(length as u64).read_to_end(payload)?;
    if payload.len() < length {
        return Ok(Record::Bad("the file ends inside a record"));
    }
    if crc32fast::hash(payload) != check {
        return Ok(Record::Bad("a record fails its checksum"));
    }
    Ok(Record::Whole)
}

/// Looks behind a bad record at `offset` for one that can be read, and gives its offset. A torn
/// tail has none: nothing was ever written behind it.
pub(super) fn find_record(file: &mut File, offset: u64) -> std::io::Result<Option<u64>> {
    let mut window = Vec::with_capacity(SCAN_BYTES + FRAME_BYTES);
    let mut payload = Vec::new();
    let mut start = offset + 1;
    loop {
        file.seek(SeekFrom::Start(start))?;
        window.clear();
        let wanted = (SCAN_BYTES + FRAME_BYTES - 1) as u64;
        file.by_ref().take(wanted).read_to_end(&mut window)?;
        for (index, candidate) in window.array_windows().enumerate() {
            if read_frame(candidate).is_some() {
                let at = start + index as u64;
                file.seek(SeekFrom::Start(at))?;
                if matches!(read_record(file, &mut payload)?, Record::Whole) {
                    return Ok(Some(at));
                }
            }
        }
        if (window.len() as u64) < wanted {
            return Ok(None);
        }
        start += SCAN_BYTES as u64;
    }
}

/// Fills the buffer as far as the file goes.
fn read_fully(file: &mut impl Read, buffer: &mut [u8]) -> std::io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(n) => filled += n,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

fn word(bytes: &[u8], at: usize) -> u32 {
    let mut word = [0; 4];
    word.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(word)
}

fn long(bytes: &[u8], at: usize) -> u64 {
    let mut long = [0; 8];
    long.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(long)
}
