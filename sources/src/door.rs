//! How facts leave a source: in chunks, through a bounded door. A source that is faster than the
//! engine waits at the door, so nothing in between can grow without limit.

use std::sync::Arc;

use schema::{Event, NameId};
use tokio::sync::mpsc;

/// Most events in one chunk.
pub const CHUNK_EVENTS_MAX: usize = 1024;
/// Most rejects in one chunk.
pub const CHUNK_REJECTS_MAX: usize = 1024;
/// Most bytes of a refused record that are kept with its reason.
pub const RECORD_BYTES_MAX: usize = 200;
/// Chunks that wait in a door of [`Door::pair`] before its source does.
pub const DOOR_CHUNKS_MAX: usize = 8;

/// What a source hands over at once. It may end in the middle of one event time: the engine groups
/// events again.
#[derive(Clone, Debug, Default)]
pub struct Chunk {
    /// Names that this source has not handed over before.
    pub names: Vec<(NameId, Arc<str>)>,
    /// Facts, at most [`CHUNK_EVENTS_MAX`] of them.
    pub events: Vec<Event>,
    /// Records that could not be read, at most [`CHUNK_REJECTS_MAX`] of them.
    pub rejects: Vec<Reject>,
    /// How far the source has come, where it knows.
    pub progress: Option<Progress>,
}

impl Chunk {
    /// Whether it says nothing.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
            && self.events.is_empty()
            && self.rejects.is_empty()
            && self.progress.is_none()
    }
}

/// How far a source has come in its input, in bytes as stored (compressed).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Bytes read.
    pub done_bytes: u64,
    /// Bytes there are.
    pub total_bytes: u64,
}

/// A record that could not be read: what the dead-letter file keeps of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reject {
    /// Name of the source.
    pub source: String,
    /// Where it is: `file:line`, or a file and a byte offset.
    pub offset: String,
    /// Why it was refused and what would have been accepted.
    pub reason: String,
    /// The record, at most [`RECORD_BYTES_MAX`] bytes of it, made readable.
    pub record: String,
}

impl Reject {
    /// A reject with the beginning of its record.
    pub fn new(source: &str, offset: String, reason: String, record: &[u8]) -> Self {
        let head = &record[..record.len().min(RECORD_BYTES_MAX)];
        let mut text = String::from_utf8_lossy(head).into_owned();
        // Replacement characters are longer than the bytes they replace.
        while text.len() > RECORD_BYTES_MAX {
            text.pop();
        }
        Self { source: source.to_owned(), offset, reason, record: text }
    }
}

/// The engine has closed the door: the source should end quietly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the engine takes no more facts")]
pub struct Closed;

/// The sending half of the bounded channel between a source and the engine. When the engine drops
/// its half, sending fails with [`Closed`], which means: stop.
///
/// ```
/// use sources::{Chunk, Door};
/// # use tideline_sources as sources;
/// let (door, mut engine) = Door::pair();
/// door.send_blocking(Chunk::default())?;
/// assert!(engine.blocking_recv().is_some());
/// drop(engine);
/// assert!(door.send_blocking(Chunk::default()).is_err());
/// # Ok::<(), sources::Closed>(())
/// ```
#[derive(Clone, Debug)]
pub struct Door(mpsc::Sender<Chunk>);

impl Door {
    /// A door onto an existing channel.
    pub fn new(sender: mpsc::Sender<Chunk>) -> Self {
        Self(sender)
    }

    /// A door of [`DOOR_CHUNKS_MAX`] chunks and the engine's end of it.
    pub fn pair() -> (Self, mpsc::Receiver<Chunk>) {
        let (sender, receiver) = mpsc::channel(DOOR_CHUNKS_MAX);
        (Self(sender), receiver)
    }

    /// Hands a chunk over, waiting for room.
    ///
    /// # Errors
    /// [`Closed`] when the engine takes no more.
    pub async fn send(&self, chunk: Chunk) -> Result<(), Closed> {
        debug_assert!(chunk.events.len() <= CHUNK_EVENTS_MAX, "chunk over its limit");
        self.0.send(chunk).await.map_err(|_| Closed)
    }

    /// Hands a chunk over from a thread that may block.
    ///
    /// # Errors
    /// [`Closed`] when the engine takes no more.
    ///
    /// # Panics
    /// When called from an async task: use [`Door::send`] there.
    pub fn send_blocking(&self, chunk: Chunk) -> Result<(), Closed> {
        debug_assert!(chunk.events.len() <= CHUNK_EVENTS_MAX, "chunk over its limit");
        self.0.blocking_send(chunk).map_err(|_| Closed)
    }

    /// Whether the engine has closed it.
    pub fn is_closed(&self) -> bool {
        self.0.is_closed()
    }

    /// Waits until the engine closes it.
    pub async fn closed(&self) {
        self.0.closed().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_kept_only_in_part_and_readable() {
        let reject = Reject::new("feed", "f:1".into(), "why".into(), &[0xff; 1000]);
        assert!(reject.record.len() <= RECORD_BYTES_MAX);
        assert!(reject.record.chars().all(|c| c == char::REPLACEMENT_CHARACTER));
        assert_eq!(Reject::new("feed", String::new(), String::new(), b"abc").record, "abc");
    }
}
