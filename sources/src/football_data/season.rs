//! Many files as one stream: rows are kept compact, and an index over them says in which order of
//! event time their facts come, so that twenty seasons need no sorting of facts.

use std::path::Path;

use schema::{
    BookId, Event, Fact, FixtureFact, MatchStatistics, Names, Quote, RegionId, ResultFact,
    ResultStatus, Score, SourceId, Time,
};

use super::columns::Columns;
use super::row::{Read, Row, RowReader, cells};
use super::stamps::{Stamps, UnitedKingdom};
use crate::input::{Found, LINE_BYTES_MAX, Lines};
use crate::{Error, Reject};

/// Files whose numbers fit a sequence.
pub(super) const FILES_MAX: usize = 1 << 16;
/// Lines of one file whose numbers fit a sequence.
const LINES_MAX: u64 = 1 << 24;
/// Slot of a fixture in the sequences of its row; its quotes follow.
const SLOT_FIXTURE: u8 = 0;
/// Slot of a result in the sequences of its row.
const SLOT_RESULT: u8 = 255;

/// What of a row becomes known at one time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    /// The fixture.
    Fixture,
    /// The collected prices.
    Collected,
    /// The closing prices.
    Closing,
    /// The result.
    Result,
}

impl Phase {
    pub const ALL: [Self; 4] = [Self::Fixture, Self::Collected, Self::Closing, Self::Result];

    fn time(self, stamps: &Stamps) -> Time {
        match self {
            Self::Fixture => stamps.fixture,
            Self::Collected => stamps.collected,
            Self::Closing => stamps.closing,
            Self::Result => stamps.result,
        }
    }
}

/// A row at rest; its quotes are in one list with everybody's.
#[derive(Clone, Debug)]
struct Kept {
    file: u16,
    line: u32,
    fixture: FixtureFact,
    stamps: Stamps,
    score: Option<Score>,
    statistics: MatchStatistics,
    quotes: std::ops::Range<u32>,
}

/// When a phase of a row is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Due {
    pub time: Time,
    row: u32,
    pub phase: Phase,
    pub revision: u16,
}

/// All rows of all files.
pub(super) struct Season {
    source: String,
    source_id: SourceId,
    zone: UnitedKingdom,
    /// Names seen so far.
    pub names: Names,
    rows: Vec<Kept>,
    quotes: Vec<(u8, bool, Quote)>,
    /// Records that could not be read.
    pub rejects: Vec<Reject>,
}

impl Season {
    /// Nothing read yet.
    pub fn new(source: &str) -> Result<Self, Error> {
        let mut names = Names::default();
        let source_id = SourceId(names.register(source)?.0);
        Ok(Self {
            source: source.to_owned(),
            source_id,
            zone: UnitedKingdom::new()?,
            names,
            rows: Vec::new(),
            quotes: Vec::new(),
            rejects: Vec::new(),
        })
    }

    /// Forgets rows and quotes, keeping the names.
    #[cfg(feature = "http")]
    pub fn clear(&mut self) {
        self.rows.clear();
        self.quotes.clear();
    }

    /// Adds a reject.
    pub fn reject(&mut self, place: &str, line: u64, reason: String, record: &[u8]) {
        let offset = format!("{place}:{line}");
        self.rejects.push(Reject::new(&self.source, offset, reason, record));
    }

    /// Reads one file. `place` names it in rejects, `number` in sequences.
    /// `broken` says why reading it broke off.
    pub fn read<R: std::io::Read>(
        &mut self,
        number: u16,
        place: &str,
        text: R,
        broken: impl Fn(&R, &std::io::Error) -> String,
    ) {
        let league = league_of(place);
        let mut lines = Lines::new(text);
        let mut header: Option<(Columns, Vec<BookId>)> = None;
        loop {
            let (line, cut) = match lines.next_line() {
                Found::End => break,
                Found::Line(line) => (line.to_vec(), None),
                Found::Broken(cause, rest) => (rest.to_vec(), Some(cause)),
                Found::TooLong(head, bytes) => {
                    let limit = LINE_BYTES_MAX;
                    let reason = format!("line of {bytes} bytes is over the limit of {limit}");
                    self.reject(place, lines.number(), reason, &head);
                    continue;
                }
            };
            let at = lines.number();
            if let Some(cause) = cut {
                let reason = broken(lines.inner(), &cause);
                self.reject(place, at, reason, &line);
                break;
            }
            if at >= LINES_MAX {
                self.reject(place, at, format!("file has over {LINES_MAX} lines: split it"), b"");
                break;
            }
            if !self.read_line(number, place, &league, at, &line, &mut header) {
                break;
            }
        }
    }

    /// Reads one line; false when the rest of the file makes no sense.
    fn read_line(
        &mut self,
        file: u16,
        place: &str,
        league: &str,
        at: u64,
        line: &[u8],
        header: &mut Option<(Columns, Vec<BookId>)>,
    ) -> bool {
        let text = decode(line);
        let cells = cells(&text);
        let repeated = header
            .as_ref()
            .is_some_and(|(columns, _)| cells.get(columns.date).is_some_and(|cell| cell == "Date"));
        if header.is_none() || repeated {
            if cells.iter().all(|cell| cell.is_empty()) {
                return true;
            }
            let names: Vec<&str> = cells.iter().map(AsRef::as_ref).collect();
            let Some(columns) = Columns::of(&names) else {
                let reason = "first line has no Date, HomeTeam and AwayTeam: not a football-data \
                              file, or cut at its top";
                self.reject(place, at, reason.to_owned(), line);
                return false;
            };
            let books = columns.quotes.iter().map(|quote| match self.names.register(&quote.book) {
                Ok(id) => BookId(id.0),
                Err(_) => BookId::of(&quote.book),
            });
            let books = books.collect();
            *header = Some((columns, books));
            return true;
        }
        let Some((columns, books)) = header else { return false };
        let reader = RowReader { columns, books, league, zone: &self.zone };
        let mut complaints = Vec::new();
        match reader.read(&cells, &mut self.names, &mut complaints) {
            Read::Blank => {}
            Read::Row(row) => self.keep(file, at as u32, *row),
            Read::Refused(reason) => complaints.push(reason),
        }
        for reason in complaints {
            self.reject(place, at, reason, line);
        }
        true
    }

    fn keep(&mut self, file: u16, line: u32, row: Row) {
        let start = self.quotes.len() as u32;
        self.quotes.extend(row.quotes);
        self.rows.push(Kept {
            file,
            line,
            fixture: row.fixture,
            stamps: row.stamps,
            score: row.score,
            statistics: row.statistics,
            quotes: start..self.quotes.len() as u32,
        });
    }

    /// Everything that is due, in order of event time.
    pub fn schedule(&self) -> Vec<Due> {
        let mut due = Vec::with_capacity(self.rows.len() * Phase::ALL.len());
        for (index, row) in self.rows.iter().enumerate() {
            for phase in Phase::ALL {
                let time = phase.time(&row.stamps);
                due.push(Due { time, row: index as u32, phase, revision: 0 });
            }
        }
        due.sort_unstable();
        due
    }

    /// The fixture that a phase is about.
    #[cfg(feature = "http")]
    pub fn fixture(&self, due: &Due) -> schema::FixtureId {
        self.rows[due.row as usize].fixture.fixture
    }

    /// Appends the facts of a phase; those without a `received_time` were received as they
    /// happened.
    pub fn facts(&self, due: &Due, received_time: Option<Time>, out: &mut Vec<Event>) {
        let row = &self.rows[due.row as usize];
        let mut push = |slot: u8, fact: Fact| {
            out.push(Event {
                event_time: due.time,
                received_time: received_time.unwrap_or(due.time),
                sequence: sequence(due.revision, row.file, row.line, slot),
                source: self.source_id,
                region: RegionId::default(),
                fact,
            });
        };
        match due.phase {
            Phase::Fixture => push(SLOT_FIXTURE, Fact::Fixture(row.fixture)),
            Phase::Result => {
                if let Some(score) = row.score {
                    let counts = row.statistics;
                    let statistics = (counts != MatchStatistics::default()).then_some(counts);
                    let status = ResultStatus::Final;
                    let fixture = row.fixture.fixture;
                    let result = ResultFact { fixture, status, score, statistics };
                    push(SLOT_RESULT, Fact::Result(Box::new(result)));
                }
            }
            Phase::Collected | Phase::Closing => {
                let quotes = &self.quotes[row.quotes.start as usize..row.quotes.end as usize];
                for (slot, closing, quote) in quotes {
                    if *closing == (due.phase == Phase::Closing) {
                        push(SLOT_FIXTURE + 1 + slot, Fact::Quote(*quote));
                    }
                }
            }
        }
    }
}

/// The source's own order among facts of one event time: later readings of a row after earlier
/// ones, then by place in the files. It depends on nothing that may differ between two runs.
fn sequence(revision: u16, file: u16, line: u32, slot: u8) -> u64 {
    u64::from(revision) << 48
        | u64::from(file) << 32
        | u64::from(line & 0x00ff_ffff) << 8
        | u64::from(slot)
}

/// The league in a file's name: `E0` in `E0_2223.csv.gz`, in `2223/E0.csv` and in `E0.csv`.
fn league_of(place: &str) -> String {
    let name = Path::new(place).file_name().map_or(place.into(), |name| name.to_string_lossy());
    let stem = name.split('.').next().unwrap_or_default();
    stem.split('_').next().unwrap_or_default().to_owned()
}

/// Text of a line: UTF-8 with or without a byte order mark, or else Windows-1252, which a few of
/// the files are in.
fn decode(line: &[u8]) -> std::borrow::Cow<'_, str> {
    match std::str::from_utf8(line) {
        Ok(text) => text.strip_prefix('\u{feff}').unwrap_or(text).into(),
        Err(_) => line.iter().map(|byte| windows_1252(*byte)).collect::<String>().into(),
    }
}

/// The character of a byte in Windows-1252; the five that have none stay control characters.
fn windows_1252(byte: u8) -> char {
    const HIGH: [char; 32] = [
        '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž',
        '\u{8f}', '\u{90}', '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}',
        'ž', 'Ÿ',
    ];
    match byte {
        0x80..=0x9f => HIGH[usize::from(byte - 0x80)],
        other => char::from(other),
    }
}
