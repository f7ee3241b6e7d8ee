//! Records that could not be taken, each with where it was, what it was and why: nothing is lost
//! silently, and nothing unreadable stops the rest.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use schema::{Event, Names};
use serde::Serialize;
use sources::Reject;

use crate::{Error, Result};

/// Largest dead-letter file in bytes; past it records are only counted, and the file's last line
/// says so.
const FILE_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// Rejects kept in memory for summaries.
pub const KEPT_MAX: usize = 1_000;

/// A rejected record as it is written.
#[derive(Clone, Debug, Serialize)]
pub struct DeadLetter {
    /// Source of the topology.
    pub source: String,
    /// Where in it: `file:line`, or a byte offset.
    pub offset: String,
    /// Why it was refused.
    pub reason: String,
    /// The start of it.
    pub record: String,
}

/// The dead-letter file, and the first rejects in memory.
pub struct DeadLetters {
    file: Option<(PathBuf, BufWriter<File>)>,
    written: u64,
    kept: Vec<DeadLetter>,
}

impl DeadLetters {
    /// Dead letters to `data_dir/dead_letters.jsonl`, or only in memory without a data directory.
    pub fn open(data_dir: Option<&Path>) -> Result<Self> {
        let Some(dir) = data_dir else {
            return Ok(Self { file: None, written: 0, kept: Vec::new() });
        };
        let path = dir.join("dead_letters.jsonl");
        let file = File::options()
            .create(true)
            .append(true)
            .open(&path)
            .map_err(|source| Error::file("cannot open", &path, source))?;
        let written = file.metadata().map_or(0, |meta| meta.len());
        Ok(Self { file: Some((path, BufWriter::new(file))), written, kept: Vec::new() })
    }

    /// Puts records aside.
    pub fn put(&mut self, rejects: &[Reject]) -> Result<()> {
        for reject in rejects {
            self.write(DeadLetter {
                source: reject.source.clone(),
                offset: reject.offset.clone(),
                reason: reject.reason.clone(),
                record: reject.record.clone(),
            })?;
        }
        Ok(())
    }

    /// Puts a fact aside that was read and could not be applied.
    pub fn put_fact(&mut self, event: &Event, reason: &str, names: &Names) -> Result<()> {
        self.write(DeadLetter {
            source: names.get(event.source).to_owned(),
            offset: format!("event time {}", event.event_time),
            reason: reason.to_owned(),
            record: sources::jsonl::to_line(event, names),
        })
    }

    fn write(&mut self, letter: DeadLetter) -> Result<()> {
        if let Some((path, file)) = &mut self.file
            && self.written < FILE_BYTES_MAX
        {
            let unwritable = |source: serde_json::Error| {
                Error::file("cannot write", path.as_path(), source.into())
            };
            let mut line = serde_json::to_string(&letter).map_err(unwritable)?;
            line.push('\n');
            self.written += line.len() as u64;
            if self.written >= FILE_BYTES_MAX {
                line.push_str(
                    "{\"reason\":\"this file is full: move it away to go on recording\"}\n",
                );
            }
            let wrote = file.write_all(line.as_bytes());
            wrote.map_err(|source| Error::file("cannot write", path.as_path(), source))?;
        }
        if self.kept.len() < KEPT_MAX {
            self.kept.push(letter);
        }
        Ok(())
    }

    /// Writes what is buffered.
    pub fn flush(&mut self) -> Result<()> {
        let Some((path, file)) = &mut self.file else { return Ok(()) };
        file.flush().map_err(|source| Error::file("cannot write", path.as_path(), source))
    }

    /// The first rejects, at most [`KEPT_MAX`].
    pub fn kept(&self) -> &[DeadLetter] {
        &self.kept
    }
}
