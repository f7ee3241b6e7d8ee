//! `jsonl`: the whole suggestion stream, one JSON object a line.
//!
//! Opened on a file that is there, it goes on after what the file has: messages whose id is already
//! in it are left out, so a replay of the same journal adds nothing, and a crash in between costs
//! nothing. A torn last line (power cut while writing) is cut off before the first new one. Beyond
//! `file_mib_max` the file moves to `NAME.1`, what was there to `NAME.2`, and so on.

use std::collections::{BTreeSet, VecDeque};
use std::fs::{self, File, OpenOptions};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};

use schema::{EventId, Outbox};
use serde::{Deserialize, Serialize};

use crate::{Error, Result, Sink, files};

/// Settings in full.
pub const EXAMPLE: &str = "\
type: jsonl
path: out/suggestions.jsonl    # default: suggestions.jsonl in data_dir
file_mib_max: 256              # then it moves to suggestions.jsonl.1, .2, ...
files_max: 8                   # the oldest beyond this many are deleted
";

/// Most ids of earlier runs that are kept to tell repeated messages; the newest are.
const KNOWN_IDS_MAX: usize = 2_000_000;
/// Most files a rotation may keep.
const FILES_LIMIT: u16 = 1_000;
/// Greatest size of a file before it is rotated: 1 TiB.
const FILE_MIB_LIMIT: u64 = 1 << 20;
const MIB: u64 = 1 << 20;

/// Settings of the JSON lines.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The file. Default: `suggestions.jsonl` in the data folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<PathBuf>,
    /// Size in MiB beyond which the file is rotated, 1 to 1,048,576. Default 256.
    pub file_mib_max: u64,
    /// Most files kept, the current one included, 1 to 1,000. Default 8.
    pub files_max: u16,
}

impl Default for Config {
    fn default() -> Self {
        Self { path: None, file_mib_max: 256, files_max: 8 }
    }
}

impl Config {
    /// Opens the file, reading which messages it already has.
    ///
    /// # Errors
    /// [`Error::Setting`] for a setting outside its range, [`Error::File`] when a file that is
    /// there cannot be read, [`Error::Foreign`] when it holds something else.
    pub fn open(&self, name: &str, data_dir: &Path) -> Result<Jsonl> {
        let refuse = |setting, found: String, limit: u64| Error::Setting {
            sink: name.to_owned(),
            setting,
            found,
            advice: format!("give a number from 1 to {limit}"),
        };
        if !(1..=FILE_MIB_LIMIT).contains(&self.file_mib_max) {
            return Err(refuse("file_mib_max", self.file_mib_max.to_string(), FILE_MIB_LIMIT));
        }
        if !(1..=FILES_LIMIT).contains(&self.files_max) {
            return Err(refuse("files_max", self.files_max.to_string(), FILES_LIMIT.into()));
        }
        let path = self.path.clone().unwrap_or_else(|| data_dir.join("suggestions.jsonl"));
        let mut jsonl = Jsonl {
            name: name.to_owned(),
            path,
            file_bytes_max: self.file_mib_max * MIB,
            files_max: self.files_max,
            known: BTreeSet::new(),
            length: 0,
            file: None,
            buffer: Vec::new(),
        };
        jsonl.read_known()?;
        Ok(jsonl)
    }
}

/// The JSON lines at work.
#[derive(Debug)]
pub struct Jsonl {
    name: String,
    path: PathBuf,
    file_bytes_max: u64,
    files_max: u16,
    /// Messages of earlier runs.
    known: BTreeSet<EventId>,
    /// Bytes of whole lines in the current file.
    length: u64,
    file: Option<File>,
    buffer: Vec<u8>,
}

/// The one key that is read back.
#[derive(Deserialize)]
struct Identified {
    event_id: EventId,
}

impl Jsonl {
    fn rotated(&self, number: u16) -> PathBuf {
        let mut name = self.path.as_os_str().to_owned();
        name.push(format!(".{number}"));
        name.into()
    }

    fn read_known(&mut self) -> Result<()> {
        let mut newest = VecDeque::new();
        for number in (1..self.files_max).rev() {
            read_ids(&self.rotated(number), &mut newest)?;
        }
        self.length = read_ids(&self.path, &mut newest)?;
        self.known = newest.into_iter().collect();
        Ok(())
    }

    /// Opens the file and cuts its torn end off.
    fn open_file(&self) -> Result<File> {
        files::make_parent(&self.path)?;
        let file = OpenOptions::new().create(true).append(true).open(&self.path);
        let file = file.map_err(Error::file("open", &self.path))?;
        file.set_len(self.length).map_err(Error::file("cut the torn end of", &self.path))?;
        Ok(file)
    }

    fn rotate(&mut self) -> Result<()> {
        self.file = None;
        for number in (0..self.files_max).rev() {
            let from = if number == 0 { self.path.clone() } else { self.rotated(number) };
            if !from.exists() {
                continue;
            }
            if number + 1 >= self.files_max {
                fs::remove_file(&from).map_err(Error::file("delete", &from))?;
            } else {
                let to = self.rotated(number + 1);
                fs::rename(&from, &to).map_err(Error::file("rotate", &from))?;
            }
        }
        self.length = 0;
        Ok(())
    }

    fn append(&mut self) -> Result<()> {
        let added = self.buffer.len() as u64;
        if self.length > 0 && self.length + added > self.file_bytes_max {
            self.rotate()?;
        }
        let mut file = match self.file.take() {
            Some(file) => file,
            None => self.open_file()?,
        };
        if let Err(source) = file.write_all(&self.buffer) {
            // What was written of it would be half a line: take it back, so that the call can be
            // repeated. Should that fail too, opening the file again cuts it off.
            let _ = file.set_len(self.length);
            return Err(Error::file("append to", &self.path)(source));
        }
        self.length += added;
        self.file = Some(file);
        Ok(())
    }
}

/// Reads the ids of a file's whole lines and gives their length in bytes; nothing when there is no
/// such file.
fn read_ids(path: &Path, ids: &mut VecDeque<EventId>) -> Result<u64> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(Error::file("read", path)(error)),
    };
    let mut reader = BufReader::with_capacity(1 << 16, file);
    let (mut line, mut number, mut length) = (Vec::new(), 0, 0);
    loop {
        line.clear();
        let read = reader.read_until(b'\n', &mut line).map_err(Error::file("read", path))?;
        if read == 0 || line.last() != Some(&b'\n') {
            return Ok(length);
        }
        number += 1;
        length += read as u64;
        let Ok(Identified { event_id }) = serde_json::from_slice(&line) else {
            return Err(Error::Foreign { path: path.to_owned(), line: number });
        };
        if ids.len() == KNOWN_IDS_MAX {
            ids.pop_front();
        }
        ids.push_back(event_id);
    }
}

impl Sink for Jsonl {
    fn name(&self) -> &str {
        &self.name
    }

    fn check(&self) -> Result<()> {
        files::check_writable(&self.path)
    }

    /// Appends the tick's suggestions in one write: a reader sees all of them or, for a moment, a
    /// prefix.
    fn publish(&mut self, outbox: &Outbox) -> Result<()> {
        self.buffer.clear();
        for suggestion in &outbox.suggestions {
            if self.known.contains(&suggestion.event_id) {
                continue;
            }
            serde_json::to_writer(&mut self.buffer, suggestion.as_ref())
                .map_err(|source| Error::Json { id: suggestion.event_id, source })?;
            self.buffer.push(b'\n');
        }
        if !self.buffer.is_empty() {
            self.append()?;
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<()> {
        match &self.file {
            Some(file) => file.sync_all().map_err(Error::file("sync", &self.path)),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use schema::{Action, Suggestion};

    use super::*;
    use crate::made_up;

    fn publish_all(config: &Config, folder: &Path, run: &[Outbox]) {
        let mut sink = config.open("jsonl", folder).unwrap();
        for outbox in run {
            sink.publish(outbox).unwrap();
        }
        sink.finish().unwrap();
    }

    fn lines(path: &Path) -> Vec<Suggestion> {
        let text = fs::read_to_string(path).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn the_file_is_the_stream() {
        let folder = tempfile::tempdir().unwrap();
        let run = made_up::small_run();
        publish_all(&Config::default(), folder.path(), &run);
        let sent: Vec<Suggestion> =
            run.iter().flat_map(|o| o.suggestions.iter().map(|s| s.as_ref().clone())).collect();
        assert_eq!(lines(&folder.path().join("suggestions.jsonl")), sent);
    }

    #[test]
    fn it_goes_on_after_what_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("suggestions.jsonl");
        let run = made_up::small_run();
        publish_all(&Config::default(), folder.path(), &run);
        let whole = fs::read(&path).unwrap();
        publish_all(&Config::default(), folder.path(), &run);
        assert_eq!(fs::read(&path).unwrap(), whole, "a replay adds nothing");

        for cut in [whole.len() - 1, whole.len() / 2, 3, 0] {
            fs::write(&path, &whole[..cut]).unwrap();
            publish_all(&Config::default(), folder.path(), &run);
            assert_eq!(fs::read(&path).unwrap(), whole, "torn at {cut}");
        }
    }

    #[test]
    fn nothing_to_say_makes_no_file() {
        let folder = tempfile::tempdir().unwrap();
        publish_all(&Config::default(), folder.path(), &[Outbox::default()]);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_file_of_something_else_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notes.txt");
        fs::write(&path, "buy milk\n").unwrap();
        let config = Config { path: Some(path.clone()), ..Config::default() };
        let error = config.open("jsonl", folder.path()).unwrap_err().to_string();
        assert!(error.contains("notes.txt") && error.contains("line 1"), "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "buy milk\n");
    }

    #[test]
    fn rotation_bounds_the_space() {
        let folder = tempfile::tempdir().unwrap();
        let config = Config { path: None, file_mib_max: 1, files_max: 3 };
        let mut sink = config.open("jsonl", folder.path()).unwrap();
        let mut sent = 0;
        for tick in 0..24_u64 {
            let mut outbox = Outbox { tick, ..Outbox::default() };
            for number in 0..100 {
                let mut suggestion = made_up::suggestion(tick * 100 + number, tick, Action::Issued);
                suggestion.reason = "x".repeat(2_000);
                outbox.suggestions.push(Arc::new(suggestion));
                sent += 1;
            }
            sink.publish(&outbox).unwrap();
        }
        let sizes: Vec<u64> = fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().metadata().unwrap().len())
            .collect();
        assert_eq!(sizes.len(), 3);
        assert!(sizes.iter().all(|size| *size <= MIB), "{sizes:?}");
        let newest = lines(&folder.path().join("suggestions.jsonl"));
        let oldest = lines(&folder.path().join("suggestions.jsonl.2"));
        assert_eq!(newest.last().unwrap().suggestion_id, made_up::id(sent - 1));
        assert!(oldest[0].tick > 0, "the first file was deleted");
        let again = config.open("jsonl", folder.path()).unwrap();
        assert!(again.known.contains(&oldest[0].event_id), "rotated files are known too");
    }

    #[test]
    fn bounds_must_make_sense() {
        let config = Config { files_max: 0, ..Config::default() };
        let error = config.open("jsonl", Path::new(".")).unwrap_err().to_string();
        assert!(error.contains("files_max is 0"), "{error}");
    }
}
