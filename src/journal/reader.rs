//! Reading a journal back, tick by tick, in bounded memory.
//!
//! What separates a crash from damage is what follows: a crash cuts the last record short and
//! nothing comes after it (a *torn tail*, never acknowledged, reported and left out); a bad record
//! with anything readable behind it means that acknowledged facts are gone, and reading stops.

use std::collections::VecDeque;
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use schema::{NameId, Tick, Time};
use serde::Serialize;

use super::decode::{take_head, take_tick};
use super::encode::Context;
use super::error::{Error, Result};
use super::segment::{FRAME_BYTES, HEADER_BYTES, Record, Segment, find_record, read_record};
use super::wire::{Fault, Input};

/// Read buffer of a segment.
const BUFFER_BYTES: usize = 256 << 10;

/// One tick as it was written.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The tick.
    pub tick: Tick,
    /// When the sequencer closed the batch that the tick came in.
    pub received: Time,
    /// Names that were new with this tick's batch; they stand at the batch's first tick.
    pub names: Vec<(NameId, Arc<str>)>,
}

/// The end of a journal that was being written when the process or the machine stopped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TornTail {
    /// The last segment.
    pub segment: PathBuf,
    /// Where its last whole record ends.
    pub offset: u64,
    /// Bytes behind that.
    pub bytes: u64,
    /// What is wrong with them.
    pub reason: String,
}

/// Opens a journal for reading. Writers are not disturbed; what one appends meanwhile may or may
/// not be seen, and a record half-written looks like a torn tail.
///
/// # Errors
/// [`Error::Io`] when the directory cannot be listed. A directory without segments is an empty
/// journal.
pub fn read(dir: &Path) -> Result<Reader> {
    Ok(Reader::over(dir, Segment::list(dir)?))
}

/// Iterator over the ticks of a journal; see [`read`]. After the first error it ends.
pub struct Reader {
    dir: PathBuf,
    segments: VecDeque<Segment>,
    open: Option<Open>,
    payload: Vec<u8>,
    position: usize,
    context: Context,
    received: Time,
    names: Vec<(NameId, Arc<str>)>,
    next_tick: Option<u64>,
    segments_read: u64,
    bytes_read: u64,
    torn: Option<TornTail>,
    failed: bool,
}

struct Open {
    segment: Segment,
    file: BufReader<File>,
    /// Where the record being read starts, and where the next one does.
    offset: u64,
    next_offset: u64,
}

impl Reader {
    pub(super) fn over(dir: &Path, segments: Vec<Segment>) -> Self {
        Self {
            dir: dir.to_owned(),
            segments: segments.into(),
            open: None,
            payload: Vec::new(),
            position: 0,
            context: Context::new(),
            received: Time::default(),
            names: Vec::new(),
            next_tick: None,
            segments_read: 0,
            bytes_read: 0,
            torn: None,
            failed: false,
        }
    }

    /// The torn tail, once the iterator has ended and there was one.
    pub fn torn_tail(&self) -> Option<&TornTail> {
        self.torn.as_ref()
    }

    fn advance(&mut self) -> Result<Option<Entry>> {
        loop {
            if self.position < self.payload.len() {
                return self.take_entry().map(Some);
            }
            if self.open.is_some() {
                self.next_record()?;
            } else if !self.next_segment()? {
                return Ok(None);
            }
        }
    }

    fn next_segment(&mut self) -> Result<bool> {
        let Some(segment) = self.segments.pop_front() else { return Ok(false) };
        let expected = *self.next_tick.get_or_insert(segment.first_tick);
        let first_tick = segment.first_tick;
        if first_tick != expected {
            return Err(Error::Gap { path: self.dir.clone(), expected, found: first_tick });
        }
        match segment.open()? {
            Some(file) => {
                let offset = HEADER_BYTES as u64;
                self.segments_read += 1;
                self.bytes_read += offset;
                let file = BufReader::with_capacity(BUFFER_BYTES, file);
                self.open = Some(Open { segment, file, offset, next_offset: offset });
                Ok(true)
            }
            None => self.cut_short(segment, 0, "the file ends inside its header").map(|()| true),
        }
    }

    fn next_record(&mut self) -> Result<()> {
        let Some(open) = self.open.as_mut() else { return Ok(()) };
        let path = &open.segment.path;
        match read_record(&mut open.file, &mut self.payload).map_err(Error::io("read", path))? {
            Record::Whole => {
                open.offset = open.next_offset;
                let length = (FRAME_BYTES + self.payload.len()) as u64;
                open.next_offset += length;
                self.bytes_read += length;
                self.take_record_head()
            }
            Record::End => {
                self.payload.clear();
                self.position = 0;
                self.open = None;
                Ok(())
            }
            Record::Bad(reason) => self.judge_bad_record(reason),
        }
    }

    fn judge_bad_record(&mut self, reason: &'static str) -> Result<()> {
        self.payload.clear();
        self.position = 0;
        let Some(Open { segment, file, next_offset: offset, .. }) = self.open.take() else {
            return Ok(());
        };
        let found = find_record(&mut file.into_inner(), offset);
        let resumes_at = found.map_err(Error::io("read", &segment.path))?;
        if resumes_at.is_some() {
            let (path, reason) = (segment.path, reason.to_owned());
            return Err(Error::Damaged { path, offset, reason, resumes_at });
        }
        self.cut_short(segment, offset, reason)
    }

    /// Nothing readable follows in this segment: a torn tail in the last one, damage elsewhere.
    fn cut_short(&mut self, segment: Segment, offset: u64, reason: &str) -> Result<()> {
        let Segment { path, .. } = segment;
        let reason = reason.to_owned();
        if !self.segments.is_empty() {
            return Err(Error::Damaged { path, offset, reason, resumes_at: None });
        }
        let length = path.metadata().map_err(Error::io("read", &path))?.len();
        let bytes = length.saturating_sub(offset);
        self.torn = Some(TornTail { segment: path, offset, bytes, reason });
        Ok(())
    }

    fn take_record_head(&mut self) -> Result<()> {
        let mut input = Input(&self.payload);
        let head = take_head(&mut input, &mut self.context);
        self.position = self.payload.len() - input.0.len();
        let head = head.map_err(|fault| self.undecodable(fault))?;
        if self.position == self.payload.len() {
            return Err(self.undecodable("a record without ticks"));
        }
        let expected = self.next_tick.unwrap_or_default();
        if head.first_tick != expected {
            let path = self.open.as_ref().map_or(&self.dir, |open| &open.segment.path);
            return Err(Error::Gap { path: path.clone(), expected, found: head.first_tick });
        }
        self.received = head.received;
        self.names = head.names;
        Ok(())
    }

    fn take_entry(&mut self) -> Result<Entry> {
        let number = self.next_tick.unwrap_or_default();
        let mut input = Input(&self.payload[self.position..]);
        let tick = take_tick(&mut input, &mut self.context, number);
        self.position = self.payload.len() - input.0.len();
        let tick = tick.map_err(|fault| self.undecodable(fault))?;
        self.next_tick = Some(number + 1);
        Ok(Entry { tick, received: self.received, names: std::mem::take(&mut self.names) })
    }

    /// The checksum holds and the content does not: written by other hands, or by a bug.
    fn undecodable(&self, fault: Fault) -> Error {
        let (path, offset) = match &self.open {
            Some(open) => (open.segment.path.clone(), open.offset),
            None => (self.dir.clone(), 0),
        };
        let reason = format!("a record passes its checksum and cannot be decoded ({fault})");
        Error::Damaged { path, offset, reason, resumes_at: None }
    }
}

impl Iterator for Reader {
    type Item = Result<Entry>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let entry = self.advance();
        self.failed = entry.is_err();
        entry.transpose()
    }
}

/// What a whole journal holds; see [`verify`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Verification {
    /// Segment files read.
    pub segments: u64,
    /// Bytes in them up to the last whole record.
    pub bytes: u64,
    /// Number of the first tick; 0 when there is none.
    pub first_tick: u64,
    /// Number of the last tick; 0 when there is none.
    pub last_tick: u64,
    /// Ticks read.
    pub ticks: u64,
    /// Facts in them.
    pub events: u64,
    /// Names introduced.
    pub names: u64,
    /// Time of the first tick.
    pub first_time: Option<Time>,
    /// Time of the last tick.
    pub last_time: Option<Time>,
    /// Bytes of a torn tail: written, never acknowledged, left out when the journal is next opened
    /// for writing.
    pub torn_tail_bytes: u64,
    /// The damage at which reading stopped, and what to do about it.
    pub first_error: Option<String>,
}

/// Reads a whole journal and says what it holds, every checksum compared and every fact decoded.
///
/// # Errors
/// [`Error::Io`] when the directory cannot be listed. Damage is not an error of this function but
/// its finding: see [`Verification::first_error`].
pub fn verify(dir: &Path) -> Result<Verification> {
    let mut reader = read(dir)?;
    let mut found = Verification::default();
    for entry in &mut reader {
        match entry {
            Ok(Entry { tick, names, .. }) => {
                if found.ticks == 0 {
                    found.first_tick = tick.number;
                    found.first_time = Some(tick.time);
                }
                found.last_tick = tick.number;
                found.last_time = Some(tick.time);
                found.ticks += 1;
                found.events += tick.events.len() as u64;
                found.names += names.len() as u64;
            }
            Err(error) => found.first_error = Some(error.to_string()),
        }
    }
    found.segments = reader.segments_read;
    found.bytes = reader.bytes_read;
    found.torn_tail_bytes = reader.torn_tail().map_or(0, |torn| torn.bytes);
    Ok(found)
}
