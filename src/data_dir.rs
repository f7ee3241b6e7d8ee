//! The data directory: what is kept in it, and which of it a rehearsal may replace.
//!
//! A rehearsal (a replay of raw feeds) starts afresh every time, so it replaces what an earlier
//! rehearsal left. What a live run left is never replaced: it is the recovery log of real money.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// How the directory came to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// By replaying raw feeds: can be replaced.
    Rehearsal,
    /// By a live run: is never replaced.
    Live,
}

/// What has to be known beside a journal to replay it as it was.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Origin {
    /// How it came to be.
    pub kind: Kind,
    /// The part of the topology that decides what is suggested.
    pub decisions: crate::setup::Decisions,
}

/// A data directory.
#[derive(Clone, Debug)]
pub struct DataDir {
    path: PathBuf,
}

/// Everything an engine writes under a data directory beside the journal.
const FILES: [&str; 5] =
    ["origin.json", "dead_letters.jsonl", "suggestions.jsonl", "ledger.csv", "ledger.parquet"];

impl DataDir {
    /// A directory for a rehearsal: made, or emptied of an earlier rehearsal.
    pub fn rehearse(
        path: &Path,
        feeds: &[PathBuf],
        decisions: &crate::setup::Decisions,
    ) -> Result<Self> {
        let dir = Self { path: path.to_path_buf() };
        if let (Ok(inside), Some(_)) = (path.canonicalize(), path.parent()) {
            for feed in feeds {
                if feed.canonicalize().is_ok_and(|feed| feed.starts_with(&inside)) {
                    return Err(Error::FeedInDataDir { path: feed.clone() });
                }
            }
        }
        if dir.journal().exists() {
            match dir.origin()? {
                Some(Origin { kind: Kind::Rehearsal, .. }) => dir.clear()?,
                _ => return Err(Error::LiveData { path: path.to_path_buf() }),
            }
        }
        dir.create(Kind::Rehearsal, decisions)?;
        Ok(dir)
    }

    /// A directory for a live run: made, or as the last run left it.
    ///
    /// # Errors
    /// [`Error::Decisions`] when it was made with other decisions: its journal would be recovered
    /// to something that was never said.
    pub fn live(path: &Path, decisions: &crate::setup::Decisions) -> Result<Self> {
        let dir = Self { path: path.to_path_buf() };
        match dir.origin()? {
            Some(Origin { kind: Kind::Live, decisions: made_with }) => {
                let changed = differing(&made_with, decisions);
                if !changed.is_empty() {
                    return Err(Error::Decisions { path: path.to_path_buf(), changed });
                }
            }
            Some(Origin { kind: Kind::Rehearsal, .. }) => {
                dir.clear()?;
                dir.create(Kind::Live, decisions)?;
            }
            None => dir.create(Kind::Live, decisions)?,
        }
        Ok(dir)
    }

    /// A directory that is only read.
    pub fn existing(path: &Path) -> Self {
        Self { path: path.to_path_buf() }
    }

    fn create(&self, kind: Kind, decisions: &crate::setup::Decisions) -> Result<()> {
        let made = std::fs::create_dir_all(&self.path);
        made.map_err(|source| Error::file("cannot make", &self.path, source))?;
        let origin = Origin { kind, decisions: decisions.clone() };
        let text = serde_json::to_string_pretty(&origin).map_err(std::io::Error::from);
        let path = self.path.join("origin.json");
        let written = text.and_then(|text| std::fs::write(&path, text));
        written.map_err(|source| Error::file("cannot write", path, source))
    }

    /// Removes what an engine wrote here, and nothing else.
    fn clear(&self) -> Result<()> {
        let remove = |path: PathBuf, directory: bool| {
            let done = if directory {
                std::fs::remove_dir_all(&path)
            } else {
                std::fs::remove_file(&path)
            };
            match done {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    Err(Error::file("cannot replace", path, error))
                }
                _ => Ok(()),
            }
        };
        remove(self.journal(), true)?;
        remove(self.path.join("models"), true)?;
        FILES.iter().try_for_each(|file| remove(self.path.join(file), false))
    }

    /// Where the journal is.
    pub fn journal(&self) -> PathBuf {
        self.path.join("journal")
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How the directory came to be; none when nothing has been written here.
    pub fn origin(&self) -> Result<Option<Origin>> {
        let path = self.path.join("origin.json");
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(Error::file("cannot read", path, source)),
        };
        let bad = |error: serde_json::Error| Error::file("cannot read", &path, error.into());
        serde_json::from_str(&text).map(Some).map_err(bad)
    }
}

/// Names of the decisions that differ, and what they were and are.
fn differing(before: &crate::setup::Decisions, now: &crate::setup::Decisions) -> String {
    let table = |decisions| match serde_json::to_value(decisions) {
        Ok(serde_json::Value::Object(table)) => table,
        _ => serde_json::Map::new(),
    };
    let (before, now) = (table(before), table(now));
    let changed = now.iter().filter(|(key, value)| before.get(*key) != Some(value));
    changed.map(|(key, _)| key.as_str()).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::setup::Decisions;

    #[test]
    fn a_live_journal_goes_on_only_as_it_began() {
        let folder = tempfile::tempdir().unwrap();
        let decisions = Decisions::default();
        DataDir::live(folder.path(), &decisions).unwrap();
        DataDir::live(folder.path(), &decisions).unwrap();
        let mut bolder = decisions.clone();
        bolder.lenses.kelly_fraction = 0.9;
        let error = DataDir::live(folder.path(), &bolder).unwrap_err().to_string();
        assert!(error.contains("lenses") && error.contains("data-dir"), "{error}");
        let rehearsal = DataDir::rehearse(folder.path(), &[], &decisions);
        assert!(rehearsal.is_ok(), "there is no journal yet to protect");
    }
}
