//! What can go wrong with a journal. Money rests on it, so each message says which file, which
//! byte, and what to do about it.

use std::path::{Path, PathBuf};
use std::{fmt, io};

/// Result of a journal operation.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a journal could not be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused: a full disk, missing rights, a vanished directory.
    #[error("cannot {action} {}: {source}{}", path.display(), hint(source))]
    Io {
        /// What was being done.
        action: &'static str,
        /// To which file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another process writes to this journal.
    #[error(
        "journal {} is in use by another process: stop that one first, or give this one another \
         data directory", dir.display()
    )]
    Locked {
        /// Directory of the journal.
        dir: PathBuf,
    },
    /// A file in the journal's directory has a segment's name and is something else.
    #[error(
        "{} is not a journal segment: move it out of the journal's directory", path.display()
    )]
    NotASegment {
        /// The file.
        path: PathBuf,
    },
    /// The segment was written by a newer version.
    #[error(
        "{} has journal format {found}, this program reads up to {known}: use the newer program",
        path.display()
    )]
    NewerFormat {
        /// The segment.
        path: PathBuf,
        /// Its format version.
        found: u32,
        /// The newest version known here.
        known: u32,
    },
    /// Bytes that were once acknowledged are no longer what they were.
    #[error("{} is damaged at byte {offset}: {reason}; {}", path.display(), remedy(path, *offset, *resumes_at))]
    Damaged {
        /// The segment.
        path: PathBuf,
        /// Offset of the first record (or 0 for the header) that cannot be read.
        offset: u64,
        /// What is wrong with it.
        reason: String,
        /// Offset of the next record in the same segment that can be read, when there is one.
        resumes_at: Option<u64>,
    },
    /// A segment between two others is missing, or ticks were given out of order.
    #[error(
        "journal {}: tick {expected} should come next, found {found}: put the missing segment back \
         (segments are named by their first tick)", path.display()
    )]
    Gap {
        /// The journal's directory or the segment.
        path: PathBuf,
        /// The tick that should have come.
        expected: u64,
        /// The tick that came.
        found: u64,
    },
    /// One tick's facts do not fit into one record.
    #[error(
        "tick {tick} takes {bytes} bytes, a record holds {max}: lower the cap on the size of a tick",
        max = super::RECORD_BYTES_MAX
    )]
    TickTooLarge {
        /// Number of the tick.
        tick: u64,
        /// Its size when encoded.
        bytes: usize,
    },
    /// A fact that cannot be encoded.
    #[error("tick {tick} holds a fact that cannot be written: {reason}; please report it")]
    Encode {
        /// Number of the tick.
        tick: u64,
        /// What the encoder said.
        reason: String,
    },
    /// An earlier failure left the file in a state that only opening it anew can find out.
    #[error(
        "journal {} failed earlier and takes no more ticks: mend the cause and restart; what was \
         acknowledged is kept", dir.display()
    )]
    Failed {
        /// Directory of the journal.
        dir: PathBuf,
    },
}

impl Error {
    /// An [`Error::Io`] for `map_err`.
    pub(super) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }
}

/// What to do about an error of the system.
fn hint(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "; free some space and go on: the facts of this write were not acknowledged"
        }
        io::ErrorKind::NotFound => "; check the path",
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            "; give this user the right to write there, or choose another data directory"
        }
        _ => "; mend the cause and try again",
    }
}

/// What to do about damage.
fn remedy(path: &Path, offset: u64, resumes_at: Option<u64>) -> impl fmt::Display {
    let follows = match resumes_at {
        Some(at) => format!("readable records follow from byte {at}, so this is no torn tail; "),
        None => String::new(),
    };
    format!(
        "{follows}restore the segment from a copy, or, to give up everything from there on, move \
         the later segments away and run `truncate --size={offset} {}`",
        path.display()
    )
}
