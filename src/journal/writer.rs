//! Appending ticks: durable before they are acted upon, one write and one flush for as many as
//! there are.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use schema::{Tick, Time};
use serde::{Deserialize, Serialize};

use super::encode::{Context, NewNames, put_head, put_tick};
use super::error::{Error, Result};
use super::reader::{Reader, TornTail};
use super::segment::{FRAME_BYTES, HEADER_BYTES, RECORD_BYTES_MAX, Segment, frame, header};

/// A record is closed by the first tick that takes it past this many bytes: small enough to read
/// back lazily, large enough that its frame and the ids it spells out cost nothing.
const RECORD_BYTES_TARGET: usize = 1 << 20;
/// Name of the file whose lock says that somebody writes here.
const LOCK: &str = "lock";

/// What an acknowledged tick survives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Durability {
    /// A power cut: every append waits until the disk has it.
    #[default]
    Sync,
    /// The end of this process, however it comes; not a power cut. For replay and backtest, whose
    /// feed can be read again.
    Flush,
}

/// How a journal is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Options {
    /// A new segment file starts before one grows past this many bytes (one append may).
    /// Default 67,108,864 (64 MiB).
    pub segment_bytes_max: u64,
    /// What an acknowledged tick survives: `sync` (default) or `flush`.
    pub durability: Durability,
}

impl Default for Options {
    fn default() -> Self {
        Self { segment_bytes_max: 64 << 20, durability: Durability::default() }
    }
}

/// What was found when a journal was opened for writing.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize)]
pub struct Recovery {
    /// Number of the last whole tick; 0 in a new journal.
    pub last_tick: u64,
    /// Its time.
    pub last_time: Option<Time>,
    /// Segment files there are.
    pub segments: usize,
    /// Bytes of a torn tail that were cut off: written when the process or machine stopped, and
    /// never acknowledged.
    pub truncated_bytes: u64,
}

/// A journal open for writing. At most one a directory, which a file lock sees to.
///
/// ```
/// use schema::{Clock, ManualClock, Tick, Time};
/// use tideline::journal::{Journal, Options, read};
///
/// let dir = tempfile::tempdir()?;
/// let (mut journal, found) = Journal::create_or_open(dir.path(), Options::default())?;
/// assert_eq!(found.last_tick, 0);
/// let time: Time = "2022-08-05T19:00:00Z".parse()?;
/// let tick = Tick { number: 1, time, events: Vec::new() };
/// journal.append(&[tick.clone()], time, &[])?;
/// let entry = read(dir.path())?.next().unwrap()?;
/// assert_eq!(entry.tick, tick);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Journal {
    dir: PathBuf,
    options: Options,
    /// Held, not used: the lock goes when the file closes.
    _lock: File,
    open: Option<Open>,
    next_tick: u64,
    context: Context,
    /// Records of the append under way, one behind the other, and where each ends.
    buffer: Vec<u8>,
    ends: Vec<usize>,
    failed: bool,
}

struct Open {
    path: PathBuf,
    file: File,
    length: u64,
}

impl Journal {
    /// Opens the journal of a directory for writing, or starts one. A torn tail is cut off.
    ///
    /// Only the last segment is read, so this takes a second at most; [`super::verify`] reads all.
    ///
    /// # Errors
    /// [`Error::Locked`] when somebody writes there, [`Error::Damaged`], [`Error::NotASegment`] or
    /// [`Error::NewerFormat`] when the last segment cannot be continued, [`Error::Io`].
    pub fn create_or_open(dir: &Path, options: Options) -> Result<(Self, Recovery)> {
        let is_new = !dir.exists();
        std::fs::create_dir_all(dir).map_err(Error::io("create the directory", dir))?;
        if let (true, Some(parent)) = (is_new, dir.parent().filter(|p| !p.as_os_str().is_empty())) {
            sync_directory(parent)?;
        }
        let lock = lock(dir)?;
        let (open, next_tick, recovery) = recover(dir)?;
        let (context, buffer, ends) = (Context::new(), Vec::new(), Vec::new());
        let dir = dir.to_owned();
        let journal = Self {
            dir,
            options,
            _lock: lock,
            open,
            next_tick,
            context,
            buffer,
            ends,
            failed: false,
        };
        Ok((journal, recovery))
    }

    /// Number that the next tick must have.
    pub const fn next_tick(&self) -> u64 {
        self.next_tick
    }

    /// Appends ticks as a group: one write and, under [`Durability::Sync`], one flush. When it
    /// returns they are durable; when it fails none of them is acknowledged, and the same ticks can
    /// be appended again unless the error is [`Error::Failed`].
    ///
    /// `received` is when the sequencer closed the batch; `names` are those registered since the
    /// last append, so that the journal reads on its own.
    ///
    /// # Errors
    /// [`Error::Gap`] when the numbers do not continue the journal, [`Error::TickTooLarge`],
    /// [`Error::Io`] (a full disk, say), [`Error::Failed`] after a failure that could not be undone.
    ///
    /// # Panics
    /// When there are names and no tick to carry them.
    pub fn append(&mut self, ticks: &[Tick], received: Time, names: NewNames<'_>) -> Result<()> {
        assert!(names.is_empty() || !ticks.is_empty(), "names travel with a tick");
        if self.failed {
            return Err(Error::Failed { dir: self.dir.clone() });
        }
        for (expected, tick) in (self.next_tick..).zip(ticks) {
            if tick.number != expected {
                let (path, found) = (self.dir.clone(), tick.number);
                return Err(Error::Gap { path, expected, found });
            }
        }
        self.encode(ticks, received, names)?;
        if !self.ends.is_empty() {
            self.write()?;
            self.next_tick += ticks.len() as u64;
        }
        Ok(())
    }

    /// Waits until the disk has everything appended so far.
    ///
    /// # Errors
    /// [`Error::Io`]; the journal takes no more ticks after it, because what the disk has is then
    /// not known.
    pub fn sync(&mut self) -> Result<()> {
        let Some(open) = &self.open else { return Ok(()) };
        open.file.sync_data().map_err(|source| {
            self.failed = true;
            Error::io("flush", &open.path)(source)
        })
    }

    /// Puts another file in place of the open segment, to see what a failing one does.
    #[cfg(test)]
    pub(super) fn replace_file(&mut self, file: File) {
        if let Some(open) = self.open.as_mut() {
            open.file = file;
        }
    }

    fn encode(&mut self, ticks: &[Tick], received: Time, names: NewNames<'_>) -> Result<()> {
        self.buffer.clear();
        self.ends.clear();
        let mut names = names;
        let mut start = None;
        for tick in ticks {
            let begin = *start.get_or_insert_with(|| {
                let begin = self.buffer.len();
                self.buffer.extend_from_slice(&[0; FRAME_BYTES]);
                let names = std::mem::take(&mut names);
                put_head(&mut self.buffer, &mut self.context, tick.number, received, names);
                begin
            });
            put_tick(&mut self.buffer, &mut self.context, tick)
                .map_err(|error| Error::Encode { tick: tick.number, reason: error.to_string() })?;
            let bytes = self.buffer.len() - begin - FRAME_BYTES;
            if bytes > RECORD_BYTES_MAX {
                return Err(Error::TickTooLarge { tick: tick.number, bytes });
            }
            if bytes > RECORD_BYTES_TARGET {
                self.close_record(begin);
                start = None;
            }
        }
        if let Some(begin) = start {
            self.close_record(begin);
        }
        Ok(())
    }

    fn close_record(&mut self, begin: usize) {
        let frame = frame(&self.buffer[begin + FRAME_BYTES..]);
        self.buffer[begin..begin + FRAME_BYTES].copy_from_slice(&frame);
        self.ends.push(self.buffer.len());
    }

    /// Writes the encoded records. Each is flushed before the next begins: were they flushed
    /// together, a power cut could keep a later one without an earlier one, which would read as
    /// damage and not as a torn tail.
    fn write(&mut self) -> Result<()> {
        self.roll()?;
        let Some(open) = self.open.as_mut() else { return Ok(()) };
        let mut begin = 0;
        for end in &self.ends {
            if let Err(source) = open.file.write_all(&self.buffer[begin..*end]) {
                // What was written is taken back, so that the same ticks can be tried again.
                self.failed = open.file.set_len(open.length).is_err();
                return Err(Error::io("write to", &open.path)(source));
            }
            if self.options.durability == Durability::Sync {
                // A failed flush may have dropped the pages, and a second one would not tell.
                open.file.sync_data().map_err(|source| {
                    self.failed = true;
                    Error::io("flush", &open.path)(source)
                })?;
            }
            begin = *end;
        }
        open.length += self.buffer.len() as u64;
        Ok(())
    }

    /// Starts a segment when there is none or the present one is full.
    fn roll(&mut self) -> Result<()> {
        if let Some(open) = &self.open {
            let is_full = open.length + self.buffer.len() as u64 > self.options.segment_bytes_max;
            if !is_full || open.length <= HEADER_BYTES as u64 {
                return Ok(());
            }
            self.sync()?;
        }
        self.open = Some(create_segment(&self.dir, self.next_tick)?);
        Ok(())
    }
}

/// Creates a segment beside its place and moves it there, so that none has half a header.
fn create_segment(dir: &Path, first_tick: u64) -> Result<Open> {
    let path = Segment::at(dir, first_tick).path;
    let draft = path.with_extension("draft");
    match std::fs::remove_file(&draft) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            return Err(Error::io("remove", &draft)(error));
        }
        _ => {}
    }
    let create = || {
        let mut file = OpenOptions::new().append(true).create_new(true).open(&draft)?;
        file.write_all(&header(first_tick))?;
        file.sync_all()?;
        std::fs::rename(&draft, &path)?;
        Ok(file)
    };
    let file = create().map_err(Error::io("create", &path))?;
    sync_directory(dir)?;
    Ok(Open { path, file, length: HEADER_BYTES as u64 })
}

fn lock(dir: &Path) -> Result<File> {
    let path = dir.join(LOCK);
    let open = OpenOptions::new().write(true).create(true).truncate(false).open(&path);
    let file = open.map_err(Error::io("open", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Error::Locked { dir: dir.to_owned() }),
        Err(TryLockError::Error(error)) => Err(Error::io("lock", &path)(error)),
    }
}

/// Finds the end of the journal and cuts off a torn tail.
fn recover(dir: &Path) -> Result<(Option<Open>, u64, Recovery)> {
    let mut segments = Segment::list(dir)?;
    let mut found = Recovery { segments: segments.len(), ..Recovery::default() };
    let Some(last) = segments.pop() else { return Ok((None, 1, found)) };
    found.last_tick = last.first_tick - 1;
    let torn = read_end(dir, &last, &mut found)?;
    found.truncated_bytes = torn.as_ref().map_or(0, |torn| torn.bytes);
    let open = match torn {
        Some(torn) if torn.offset < HEADER_BYTES as u64 => {
            std::fs::remove_file(&last.path).map_err(Error::io("remove", &last.path))?;
            sync_directory(dir)?;
            found.segments -= 1;
            None
        }
        torn => Some(continue_segment(&last.path, torn.map(|torn| torn.offset))?),
    };
    // The last segment may hold no whole tick; then the time is in the one before.
    if let (None, Some(before)) = (found.last_time, segments.last()) {
        let mut earlier = Recovery::default();
        read_end(dir, before, &mut earlier)?;
        if earlier.last_tick != found.last_tick {
            let (path, expected, found) = (dir.to_owned(), earlier.last_tick + 1, last.first_tick);
            return Err(Error::Gap { path, expected, found });
        }
        found.last_time = earlier.last_time;
    }
    Ok((open, found.last_tick + 1, found))
}

/// Reads one segment for its last tick.
fn read_end(dir: &Path, segment: &Segment, found: &mut Recovery) -> Result<Option<TornTail>> {
    let mut reader = Reader::over(dir, vec![segment.clone()]);
    for entry in &mut reader {
        let tick = entry?.tick;
        found.last_tick = tick.number;
        found.last_time = Some(tick.time);
    }
    Ok(reader.torn_tail().cloned())
}

fn continue_segment(path: &Path, cut_at: Option<u64>) -> Result<Open> {
    let open = || {
        let file = OpenOptions::new().append(true).open(path)?;
        if let Some(offset) = cut_at {
            file.set_len(offset)?;
            file.sync_all()?;
        }
        let length = file.metadata()?.len();
        Ok((file, length))
    };
    let (file, length) = open().map_err(Error::io("continue", path))?;
    Ok(Open { path: path.to_owned(), file, length })
}

/// Makes creations, removals and renames in a directory durable.
fn sync_directory(dir: &Path) -> Result<()> {
    if cfg!(unix) {
        let synced = File::open(dir).and_then(|handle| handle.sync_all());
        synced.map_err(Error::io("flush", dir))?;
    }
    Ok(())
}
