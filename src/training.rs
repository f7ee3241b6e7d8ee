//! Where a window's training is done: before the next tick, or beside the stream.
//!
//! A rehearsal waits, so that it comes out the same every time. A live engine never waits: the
//! training goes on in a thread of its own, and what it comes to is taken up between two ticks. A
//! window that closes while one is still training is not trained on; the next one is.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};

use model::{Progress, Training};
use schema::Time;
use sha2::{Digest as _, Sha256};

use crate::engine::hex;
use crate::{Error, Result};

/// When a training is done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pace {
    /// Before the next tick.
    #[default]
    Wait,
    /// Beside the stream.
    Beside,
}

/// What a training came to.
pub struct Trained {
    /// End of the window it was done for.
    pub window_end: Time,
    /// For the pricer.
    pub outcome: Vec<u8>,
}

struct Running {
    window_end: Time,
    outcome: Receiver<model::Result<Vec<u8>>>,
}

/// Runs trainings, one at a time.
#[derive(Default)]
pub struct Trainer {
    pace: Pace,
    kept: Option<Kept>,
    running: Option<Running>,
}

/// Trainings that are done, in a folder: what was interrupted goes on from there.
///
/// A file is named after all that its training depends on, so that it is never taken for another.
#[derive(Clone, Debug)]
pub struct Kept(PathBuf);

impl Kept {
    /// In this folder, which is made when it is not there.
    ///
    /// # Errors
    /// [`Error::File`].
    pub fn of(folder: &Path) -> Result<Self> {
        let made = std::fs::create_dir_all(folder);
        made.map_err(|source| Error::file("cannot make", folder, source))?;
        Ok(Self(folder.to_path_buf()))
    }

    fn path(&self, key: &str) -> PathBuf {
        self.0.join(format!("{key}.training"))
    }

    /// What a training came to; nothing when it is not there or was cut short.
    fn get(&self, key: &str) -> Option<Vec<u8>> {
        let bytes = std::fs::read(self.path(key)).ok()?;
        let (digest, outcome) = bytes.split_at_checked(64)?;
        (hex(&Sha256::digest(outcome)).as_bytes() == digest).then(|| outcome.to_vec())
    }

    /// Keeps it: whole, or not at all.
    fn put(&self, key: &str, outcome: &[u8]) -> Result<()> {
        let path = self.path(key);
        let half = path.with_extension("half");
        let write = || {
            let mut file = std::fs::File::create(&half)?;
            file.write_all(hex(&Sha256::digest(outcome)).as_bytes())?;
            file.write_all(outcome)?;
            file.sync_all()?;
            std::fs::rename(&half, &path)
        };
        write().map_err(|source| Error::file("cannot write", &path, source))
    }
}

impl Trainer {
    /// A trainer at rest.
    pub const fn new(pace: Pace, kept: Option<Kept>) -> Self {
        Self { pace, kept, running: None }
    }

    /// Whether one more training could begin.
    pub const fn is_free(&self) -> bool {
        self.running.is_none()
    }

    /// Does a training, or begins it. What it came to, when it is done already.
    ///
    /// # Errors
    /// [`Error::Model`] when it failed; [`Error::Thread`] when no thread can be had.
    pub fn take(
        &mut self,
        training: Training,
        window_end: Time,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Option<Trained>> {
        if self.pace == Pace::Wait {
            let key = training.key().to_owned();
            if let Some(outcome) = self.kept.as_ref().and_then(|kept| kept.get(&key)) {
                return Ok(Some(Trained { window_end, outcome }));
            }
            let outcome = training.run(progress)?;
            if let Some(kept) = &self.kept {
                kept.put(&key, &outcome)?;
            }
            return Ok(Some(Trained { window_end, outcome }));
        }
        let (sender, outcome) = sync_channel(1);
        let work = move || {
            // The other end is gone when the program ends: then nobody needs it.
            let _ = sender.send(training.run(&mut |_| {}));
        };
        let thread = std::thread::Builder::new().name("tideline-training".to_owned()).spawn(work);
        thread.map_err(Error::Thread)?;
        self.running = Some(Running { window_end, outcome });
        Ok(None)
    }

    /// What a training beside the stream came to, once it is done.
    ///
    /// # Errors
    /// [`Error::Training`] when it failed: the live model stays.
    pub fn poll(&mut self) -> Result<Option<Trained>> {
        let Some(running) = &self.running else { return Ok(None) };
        let window_end = running.window_end;
        let outcome = match running.outcome.try_recv() {
            Err(TryRecvError::Empty) => return Ok(None),
            Err(TryRecvError::Disconnected) => Err(Error::Training),
            Ok(outcome) => outcome.map_err(Error::from),
        };
        self.running = None;
        outcome.map(|outcome| Some(Trained { window_end, outcome }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_comes_back_and_what_is_cut_or_changed_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let kept = Kept::of(&folder.path().join("new")).unwrap();
        assert_eq!(kept.get("a"), None);
        kept.put("a", b"what it came to").unwrap();
        assert_eq!(kept.get("a").unwrap(), b"what it came to");
        let bytes = std::fs::read(kept.path("a")).unwrap();
        for bad in [&bytes[..bytes.len() - 1], &bytes[..10], b""] {
            std::fs::write(kept.path("a"), bad).unwrap();
            assert_eq!(kept.get("a"), None);
        }
    }
}
