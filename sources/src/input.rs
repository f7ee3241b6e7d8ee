//! Files as they come: what they are is told by their first bytes, not their names; they are
//! unpacked on the way; and a line is handed out without ever holding more than its limit.

use std::fs::File;
use std::io::{self, BufReader, Chain, Cursor, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::read::MultiGzDecoder;

use crate::{Error, RECORD_BYTES_MAX};

/// Longest line accepted from any feed, in bytes. A longer one is refused without being held.
pub const LINE_BYTES_MAX: usize = 1 << 20;
/// First size of a line buffer; it grows up to [`LINE_BYTES_MAX`] only for long lines.
const BUFFER_BYTES: usize = 1 << 17;
/// Bytes looked at to tell what a file is.
const HEAD_BYTES_MAX: usize = 8192;

const GZIP_MAGIC: &[u8] = &[0x1f, 0x8b];
const ZSTD_MAGIC: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];
const PARQUET_MAGIC: &[u8] = b"PAR1";
const ARROW_MAGIC: &[u8] = b"ARROW1";

/// What a file holds, once unpacked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// Lines of text.
    Text,
    /// A Parquet table.
    Parquet,
    /// An Arrow IPC file.
    Arrow,
}

/// How a file is packed, for messages about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Packing {
    None,
    Gzip,
    Zstd,
}

/// A reader that counts what has gone through it.
struct Counting<R> {
    inner: R,
    bytes: Arc<AtomicU64>,
}

impl<R: Read> Read for Counting<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.bytes.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

/// An open text file, unpacked as it is read.
pub(crate) struct Input {
    /// The file.
    pub path: PathBuf,
    text: Chain<Cursor<Vec<u8>>, Box<dyn Read + Send>>,
    bytes: Arc<AtomicU64>,
    packing: Packing,
}

impl Read for Input {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.text.read(buffer)
    }
}

impl Input {
    /// Stored bytes read so far.
    pub fn done_bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Where and why reading broke off, as a reason for a reject.
    pub fn broken(&self, cause: &io::Error) -> String {
        broken(self.packing, self.done_bytes(), cause)
    }
}

fn broken(packing: Packing, at: u64, cause: &io::Error) -> String {
    let what = match packing {
        Packing::None => return format!("reading stopped at byte {at}: {cause}; check the disk"),
        Packing::Gzip => "gzip",
        Packing::Zstd => "zstd",
    };
    // Cut files also show as a corrupt last block, depending on where they are cut.
    let again = "everything before it was read; fetch the file again";
    if cause.kind() == io::ErrorKind::UnexpectedEof {
        format!("{what} ends early at byte {at}: {again}")
    } else {
        format!("{what} is damaged near byte {at} ({cause}): {again}")
    }
}

/// What a file is; `None` when it is binary and of no known format.
pub(crate) fn sniff(path: &Path) -> Result<Option<Format>, Error> {
    let fail = |cause| Error::read(path, cause);
    let mut file = File::open(path).map_err(fail)?;
    let head = read_head(&mut file).map_err(fail)?;
    if head.starts_with(PARQUET_MAGIC) {
        return Ok(Some(Format::Parquet));
    }
    if head.starts_with(ARROW_MAGIC) {
        return Ok(Some(Format::Arrow));
    }
    Ok(match open_text(path) {
        Ok(_) => Some(Format::Text),
        Err(Error::Binary { .. }) => None,
        Err(other) => return Err(other),
    })
}

/// Opens a text file, plain, gz or zst.
///
/// # Errors
/// [`Error::Read`], or [`Error::Binary`] when what comes out is not text.
pub(crate) fn open_text(path: &Path) -> Result<Input, Error> {
    let fail = |cause| Error::read(path, cause);
    let mut file = File::open(path).map_err(fail)?;
    let head = read_head(&mut file).map_err(fail)?;
    let bytes = Arc::new(AtomicU64::new(0));
    let counting =
        Counting { inner: Cursor::new(head.clone()).chain(file), bytes: Arc::clone(&bytes) };
    let (mut text, packing): (Box<dyn Read + Send>, _) = if head.starts_with(GZIP_MAGIC) {
        (Box::new(MultiGzDecoder::new(counting)), Packing::Gzip)
    } else if head.starts_with(ZSTD_MAGIC) {
        let buffered = BufReader::with_capacity(BUFFER_BYTES, counting);
        let unpacked = zstd::stream::read::Decoder::with_buffer(buffered).map_err(fail)?;
        (Box::new(unpacked), Packing::Zstd)
    } else {
        (Box::new(counting), Packing::None)
    };
    // A packed file that is cut in its head still gives the text before the cut; the error comes
    // again at the next read.
    let mut start = Vec::new();
    let _ = text.by_ref().take(HEAD_BYTES_MAX as u64).read_to_end(&mut start);
    if is_binary(&start) {
        return Err(Error::Binary { path: path.into() });
    }
    Ok(Input { path: path.into(), text: Cursor::new(start).chain(text), bytes, packing })
}

fn read_head(file: &mut File) -> io::Result<Vec<u8>> {
    let mut head = Vec::with_capacity(HEAD_BYTES_MAX);
    file.by_ref().take(HEAD_BYTES_MAX as u64).read_to_end(&mut head)?;
    Ok(head)
}

/// Text has no zero byte, and hardly any control characters, in whatever encoding (UTF-16, which
/// has, is not read).
fn is_binary(head: &[u8]) -> bool {
    let control = |byte: &&u8| matches!(byte, 0..=8 | 14..=26 | 28..=31 | 127);
    let controls = head.iter().filter(control).count();
    head.contains(&0) || controls * 20 > head.len()
}

/// What [`Lines::next_line`] found.
#[derive(Debug)]
pub enum Found<'a> {
    /// A line without its line end.
    Line(&'a [u8]),
    /// A line over the limit: its first bytes and its length.
    TooLong(Vec<u8>, u64),
    /// Reading broke off; what there is of the last line.
    Broken(io::Error, &'a [u8]),
    /// No more lines.
    End,
}

/// Cuts a reader into lines, each where it lies in the buffer.
///
/// ```
/// use sources::{Found, Lines};
/// # use tideline_sources as sources;
/// let mut lines = Lines::new(&b"one\ntwo"[..]);
/// assert!(matches!(lines.next_line(), Found::Line(b"one")));
/// assert!(matches!(lines.next_line(), Found::Line(b"two")));
/// assert!(matches!(lines.next_line(), Found::End));
/// ```
#[derive(Debug)]
pub struct Lines<R> {
    inner: R,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    number: u64,
    over: bool,
}

impl<R: Read> Lines<R> {
    /// Of a reader, from where it stands.
    pub fn new(inner: R) -> Self {
        let buffer = vec![0; BUFFER_BYTES];
        Self { inner, buffer, start: 0, end: 0, number: 0, over: false }
    }

    /// Number of the line that was found last, from 1.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// The reader behind it.
    pub fn inner(&self) -> &R {
        &self.inner
    }

    /// The next line.
    pub fn next_line(&mut self) -> Found<'_> {
        let mut searched = self.start;
        loop {
            if let Some(at) = memchr::memchr(b'\n', &self.buffer[searched..self.end]) {
                let line = self.start..searched + at;
                self.start = line.end + 1;
                self.number += 1;
                return Found::Line(trimmed(&self.buffer[line]));
            }
            searched = self.end;
            if self.end - self.start > LINE_BYTES_MAX {
                return self.skip_long();
            }
            if self.over {
                return self.last();
            }
            searched -= self.make_room();
            match self.inner.read(&mut self.buffer[self.end..]) {
                Ok(0) => self.over = true,
                Ok(read) => self.end += read,
                Err(cause) if cause.kind() == io::ErrorKind::Interrupted => {}
                Err(cause) => {
                    let rest = self.start..self.end;
                    (self.start, self.over) = (self.end, true);
                    self.number += 1;
                    return Found::Broken(cause, trimmed(&self.buffer[rest]));
                }
            }
        }
    }

    /// The line that has no line end, or the end.
    fn last(&mut self) -> Found<'_> {
        if self.start == self.end {
            return Found::End;
        }
        let line = self.start..self.end;
        self.start = self.end;
        self.number += 1;
        Found::Line(trimmed(&self.buffer[line]))
    }

    /// Makes room behind the end; gives by how much everything moved to the front.
    fn make_room(&mut self) -> usize {
        if self.end < self.buffer.len() {
            return 0;
        }
        let moved = self.start;
        if moved > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - moved);
        } else {
            let longer = (self.buffer.len() * 2).min(LINE_BYTES_MAX + BUFFER_BYTES);
            assert!(longer > self.buffer.len(), "a line over its limit is skipped, not held");
            self.buffer.resize(longer, 0);
        }
        moved
    }

    /// Reads past the end of a line that is over the limit.
    fn skip_long(&mut self) -> Found<'_> {
        let head = self.buffer[self.start..self.start + RECORD_BYTES_MAX].to_vec();
        let mut length = (self.end - self.start) as u64;
        self.number += 1;
        (self.start, self.end) = (0, 0);
        loop {
            match self.inner.read(&mut self.buffer) {
                Ok(0) => self.over = true,
                Ok(read) => {
                    let block = &self.buffer[..read];
                    if let Some(at) = memchr::memchr(b'\n', block) {
                        (self.start, self.end) = (at + 1, read);
                        return Found::TooLong(head, length + at as u64);
                    }
                    length += read as u64;
                    continue;
                }
                Err(cause) if cause.kind() == io::ErrorKind::Interrupted => continue,
                // The next call meets the same error and reports it.
                Err(_) => {}
            }
            return Found::TooLong(head, length);
        }
    }
}

fn trimmed(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// Files under a path that `wanted` takes, sorted by path: the path itself when it is a file.
/// Hidden files and folders are left out.
///
/// # Errors
/// [`Error::Read`], also for trees of more than [`FILES_MAX`] files.
pub(crate) fn files_under(
    path: &Path,
    wanted: impl Fn(&Path) -> bool,
) -> Result<Vec<PathBuf>, Error> {
    let about = std::fs::metadata(path).map_err(|cause| Error::read(path, cause))?;
    if about.is_file() {
        return Ok(vec![path.into()]);
    }
    let (mut found, mut folders, mut seen) = (Vec::new(), vec![path.to_path_buf()], 0);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).map_err(|cause| Error::read(&folder, cause))? {
            let entry = entry.map_err(|cause| Error::read(&folder, cause))?;
            let file = entry.path();
            seen += 1;
            if seen > FILES_MAX {
                let many = format!("more than {FILES_MAX} files; give a smaller folder");
                return Err(Error::read(path, io::Error::other(many)));
            }
            if entry.file_name().to_string_lossy().starts_with('.') {
                continue;
            }
            // Folders behind links are not followed, so that a loop of links cannot trap it.
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                folders.push(file);
            } else if file.is_file() && wanted(&file) {
                found.push(file);
            }
        }
    }
    found.sort();
    Ok(found)
}

/// Most files looked at under one path.
const FILES_MAX: usize = 100_000;

/// Whether a file name ends in one of these, also when packed as `.gz` or `.zst`.
pub(crate) fn has_extension(path: &Path, extensions: &[&str]) -> bool {
    let Some(name) = path.file_name() else { return false };
    let name = name.to_string_lossy().to_ascii_lowercase();
    let name = name.strip_suffix(".gz").or(name.strip_suffix(".zst")).unwrap_or(&name);
    extensions.iter().any(|extension| {
        name.strip_suffix(extension).is_some_and(|stem| stem.len() > 1 && stem.ends_with('.'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_as_they_like_and_long_ones_are_not_held() {
        let mut text = b"one\r\ntwo\n\n".to_vec();
        text.extend(vec![b'x'; 10 << 20]);
        text.extend(b"\nthree");
        let mut lines = Lines::new(text.as_slice());
        let mut seen = Vec::new();
        loop {
            match lines.next_line() {
                Found::Line(line) => seen.push(String::from_utf8(line.to_vec()).unwrap()),
                Found::TooLong(head, bytes) => seen.push(format!("{} of {bytes}", head.len())),
                Found::Broken(cause, _) => panic!("{cause}"),
                Found::End => break,
            }
        }
        assert_eq!(seen, ["one", "two", "", "200 of 10485760", "three"]);
        assert_eq!(lines.number(), 5);
        assert!(lines.buffer.len() <= LINE_BYTES_MAX + BUFFER_BYTES);
    }

    #[test]
    fn a_line_at_the_limit_is_whole() {
        let mut text = vec![b'y'; LINE_BYTES_MAX];
        text.extend(b"\nz\n");
        let mut lines = Lines::new(text.as_slice());
        assert!(matches!(lines.next_line(), Found::Line(line) if line.len() == LINE_BYTES_MAX));
        assert!(matches!(lines.next_line(), Found::Line(b"z")));
        assert!(matches!(lines.next_line(), Found::End));
    }

    #[test]
    fn extensions_see_through_packing() {
        let feed = |name: &str| has_extension(Path::new(name), &["jsonl"]);
        assert!(feed("a/b.jsonl") && feed("b.JSONL.gz") && feed("b.jsonl.zst"));
        assert!(!feed("jsonl") && !feed(".jsonl") && !feed("b.json") && !feed("b.gz"));
    }
}
