//! Reading feeds: one file after another where they do not overlap, merged by event time where
//! they do. Only files that overlap are open at the same time.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};

use schema::{Event, Time};

use crate::input::{self, Format, Found, Input, Lines};
use crate::jsonl::Parser;
use crate::{CHUNK_EVENTS_MAX, CHUNK_REJECTS_MAX, Chunk, Closed, Door, Error, Progress, Reject};

/// Reads the facts of one file, in order.
pub(super) trait Reader: Send {
    /// Reads on, appending at most [`CHUNK_EVENTS_MAX`] events and [`CHUNK_REJECTS_MAX`] rejects;
    /// false when there are no more.
    fn fill(&mut self, batch: &mut Batch<'_>) -> bool;

    /// Stored bytes read so far.
    fn done_bytes(&self) -> u64;
}

/// Where a reader puts what it reads.
pub(super) struct Batch<'a> {
    pub source: &'a str,
    pub parser: &'a mut Parser,
    pub events: &'a mut Vec<Event>,
    pub rejects: &'a mut Vec<Reject>,
}

/// JSON lines.
struct LineReader {
    lines: Lines<Input>,
}

impl Reader for LineReader {
    fn fill(&mut self, batch: &mut Batch<'_>) -> bool {
        for _ in 0..CHUNK_EVENTS_MAX.min(CHUNK_REJECTS_MAX) {
            let (cause, record) = match self.lines.next_line() {
                Found::Line(line) if line.trim_ascii().is_empty() => continue,
                Found::Line(line) => match batch.parser.parse(line, None, batch.events) {
                    Ok(()) => continue,
                    Err(reason) => (Ok(reason.to_string()), line.to_vec()),
                },
                Found::TooLong(head, bytes) => {
                    let limit = input::LINE_BYTES_MAX;
                    let reason = format!(
                        "line of {bytes} bytes is over the limit of {limit}: write one fact a line"
                    );
                    (Ok(reason), head)
                }
                Found::Broken(cause, rest) => (Err(cause), rest.to_vec()),
                Found::End => return false,
            };
            let file = self.lines.inner();
            let offset = format!("{}:{}", file.path.display(), self.lines.number());
            let (reason, more) = match cause {
                Ok(reason) => (reason, true),
                Err(cause) => (file.broken(&cause), false),
            };
            batch.rejects.push(Reject::new(batch.source, offset, reason, &record));
            if !more {
                return false;
            }
        }
        true
    }

    fn done_bytes(&self) -> u64 {
        self.lines.inner().done_bytes()
    }
}

/// Opens one file, whatever its format.
fn open(path: &Path) -> Result<Box<dyn Reader>, Error> {
    let Some(format) = input::sniff(path)? else {
        return Err(Error::Binary { path: path.into() });
    };
    match format {
        Format::Text => Ok(Box::new(LineReader { lines: Lines::new(input::open_text(path)?) })),
        #[cfg(feature = "parquet")]
        Format::Parquet | Format::Arrow => {
            Ok(Box::new(super::table::TableReader::open(path, format)?))
        }
        #[cfg(not(feature = "parquet"))]
        Format::Parquet | Format::Arrow => {
            Err(Error::Feature { what: format!("reading {}", path.display()), feature: "parquet" })
        }
    }
}

/// A file that is being read.
struct Active {
    index: usize,
    reader: Box<dyn Reader>,
    pending: VecDeque<Event>,
    more: bool,
}

impl Active {
    /// What decides whose turn it is; `None` when it has to read first.
    fn turn(&self) -> Option<(Time, usize)> {
        self.pending.front().map(|event| (event.event_time, self.index))
    }
}

/// The event time a file starts at; the least when it has no events.
fn first_time(path: &Path) -> Result<Time, Error> {
    let mut reader = open(path)?;
    let (mut events, mut rejects) = (Vec::new(), Vec::new());
    let mut parser = Parser::new("");
    loop {
        let mut batch =
            Batch { source: "", parser: &mut parser, events: &mut events, rejects: &mut rejects };
        let more = reader.fill(&mut batch);
        rejects.clear();
        match events.first() {
            Some(event) => return Ok(event.event_time),
            None if more => {}
            None => return Ok(Time::MIN),
        }
    }
}

/// The feeds under a path, ready to be merged.
pub(super) struct Feeds {
    source: String,
    parser: Parser,
    /// Files not yet open, last first, with the event time they start at.
    waiting: Vec<(Time, usize, PathBuf)>,
    active: Vec<Active>,
    chunk: Chunk,
    total_bytes: u64,
    done_bytes: u64,
}

impl Feeds {
    /// Looks at the start of every file under `path`.
    ///
    /// # Errors
    /// What is wrong with the path, or with the file when it is a single one. In a folder a file
    /// that cannot be read is a reject and the others go on.
    pub fn open(source: &str, path: &Path) -> Result<Self, Error> {
        let files = super::files_under(path)?;
        if files.is_empty() {
            let wanted = "files that end in .jsonl, .parquet or .arrow (.gz, .zst)";
            return Err(Error::NoFeed { path: path.into(), wanted });
        }
        let mut feeds = Self {
            source: source.to_owned(),
            parser: Parser::new(source),
            waiting: Vec::new(),
            active: Vec::new(),
            chunk: Chunk::default(),
            total_bytes: 0,
            done_bytes: 0,
        };
        let single = files.len() == 1;
        for (index, file) in files.into_iter().enumerate() {
            feeds.total_bytes += std::fs::metadata(&file).map_or(0, |about| about.len());
            // A single file need not be ordered against others.
            let start = if single { open(&file).map(|_| Time::MIN) } else { first_time(&file) };
            match start {
                Ok(start) => feeds.waiting.push((start, index, file)),
                Err(cause) if single => return Err(cause),
                Err(cause) => feeds.reject_file(&file, &cause),
            }
        }
        feeds.waiting.sort_by(|a, b| b.cmp(a));
        Ok(feeds)
    }

    fn reject_file(&mut self, file: &Path, cause: &Error) {
        let offset = format!("{}:0", file.display());
        self.chunk.rejects.push(Reject::new(&self.source, offset, cause.to_string(), b""));
    }

    /// Hands everything over at the door; ends early when it closes.
    pub fn run(mut self, door: &Door) -> Result<(), Closed> {
        loop {
            self.open_due();
            if self.active.is_empty() {
                return self.flush(door);
            }
            match self.active.iter().position(|active| active.pending.is_empty()) {
                Some(hungry) => self.refill(hungry, door)?,
                None => self.take_turn(),
            }
            if self.chunk.events.len() >= CHUNK_EVENTS_MAX
                || self.chunk.rejects.len() >= CHUNK_REJECTS_MAX
            {
                self.flush(door)?;
            }
        }
    }

    /// Opens the files that start no later than what comes next.
    fn open_due(&mut self) {
        while let Some((start, index, _)) = self.waiting.last() {
            let next = self.active.iter().filter_map(Active::turn).min();
            let reading = self.active.iter().any(|active| active.pending.is_empty());
            if reading || next.is_some_and(|next| next < (*start, *index)) {
                return;
            }
            let Some((_, index, file)) = self.waiting.pop() else { return };
            match open(&file) {
                Ok(reader) => {
                    self.active.push(Active {
                        index,
                        reader,
                        pending: VecDeque::new(),
                        more: true,
                    });
                }
                Err(cause) => self.reject_file(&file, &cause),
            }
        }
    }

    /// Reads on in a file that has nothing pending, or lets go of it.
    fn refill(&mut self, hungry: usize, door: &Door) -> Result<(), Closed> {
        if !self.active[hungry].more {
            self.done_bytes += self.active.swap_remove(hungry).reader.done_bytes();
            return Ok(());
        }
        let alone = self.active.len() == 1 && self.waiting.is_empty();
        if alone && !self.chunk.events.is_empty() {
            self.flush(door)?;
        }
        let active = &mut self.active[hungry];
        let mut events = Vec::new();
        if alone {
            events = std::mem::take(&mut self.chunk.events);
        }
        events.reserve(CHUNK_EVENTS_MAX);
        let mut batch = Batch {
            source: &self.source,
            parser: &mut self.parser,
            events: &mut events,
            rejects: &mut self.chunk.rejects,
        };
        active.more = active.reader.fill(&mut batch);
        if alone {
            // Nothing to merge with: straight into the chunk.
            self.chunk.events = events;
            return self.flush(door);
        }
        active.pending = events.into();
        Ok(())
    }

    /// Moves events of the file whose turn it is, up to the next file's turn.
    fn take_turn(&mut self) {
        let turns = || self.active.iter().filter_map(Active::turn);
        let Some(mine) = turns().min() else { return };
        let opening = self.waiting.last().map(|(start, index, _)| (*start, *index));
        let until = turns().filter(|turn| *turn != mine).chain(opening).min();
        let Some(active) = self.active.iter_mut().find(|active| active.index == mine.1) else {
            return;
        };
        while let Some(turn) = active.turn() {
            let over = until.is_some_and(|until| turn > until);
            if over || self.chunk.events.len() >= CHUNK_EVENTS_MAX {
                break;
            }
            self.chunk.events.extend(active.pending.pop_front());
        }
    }

    /// Hands the chunk over, in parts where it has more rejects than one may carry.
    fn flush(&mut self, door: &Door) -> Result<(), Closed> {
        let mut chunk = std::mem::take(&mut self.chunk);
        chunk.names = self.parser.names_mut().take_fresh();
        while chunk.rejects.len() > CHUNK_REJECTS_MAX {
            let rest = chunk.rejects.split_off(CHUNK_REJECTS_MAX);
            let rejects = std::mem::replace(&mut chunk.rejects, rest);
            door.send_blocking(Chunk { rejects, ..Chunk::default() })?;
        }
        if chunk.is_empty() {
            return Ok(());
        }
        let reading: u64 = self.active.iter().map(|active| active.reader.done_bytes()).sum();
        chunk.progress = Some(Progress {
            done_bytes: (self.done_bytes + reading).min(self.total_bytes),
            total_bytes: self.total_bytes,
        });
        door.send_blocking(chunk)
    }
}
