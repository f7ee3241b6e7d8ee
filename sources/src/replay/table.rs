//! Parquet and Arrow files as feeds.

use std::fs::File;
use std::path::{Path, PathBuf};

use arrow_array::RecordBatch;
use arrow_ipc::reader::FileReader;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::feed::{Batch, Reader};
use crate::input::Format;
use crate::{CHUNK_EVENTS_MAX, Error, Reject, tables};

/// Batches of a table, whatever file they are in.
type Batches = Box<dyn Iterator<Item = Result<RecordBatch, String>> + Send>;

/// Reads a table of events.
pub(super) struct TableReader {
    path: PathBuf,
    batches: Batches,
    current: Option<(RecordBatch, usize)>,
    rows_done: u64,
    rows: u64,
    bytes: u64,
}

impl TableReader {
    /// Opens a file of this format.
    ///
    /// # Errors
    /// [`Error::Read`], or [`Error::Table`] when it is damaged or its columns do not fit.
    pub fn open(path: &Path, format: Format) -> Result<Self, Error> {
        let damaged = |cause: String| Error::Table { path: path.into(), cause };
        let file = File::open(path).map_err(|cause| Error::read(path, cause))?;
        let bytes = file.metadata().map_or(0, |about| about.len());
        let (batches, table, rows): (Batches, _, u64) = if format == Format::Parquet {
            let builder = ParquetRecordBatchReaderBuilder::try_new(file)
                .map_err(|cause| damaged(cause.to_string()))?;
            let rows = builder.metadata().file_metadata().num_rows().max(0) as u64;
            let table = builder.schema().clone();
            let reader = builder
                .with_batch_size(CHUNK_EVENTS_MAX)
                .build()
                .map_err(|cause| damaged(cause.to_string()))?;
            let batches = reader.map(|batch| batch.map_err(|cause| cause.to_string()));
            (Box::new(batches), table, rows)
        } else {
            let reader =
                FileReader::try_new(file, None).map_err(|cause| damaged(cause.to_string()))?;
            let table = reader.schema();
            let batches = reader.map(|batch| batch.map_err(|cause| cause.to_string()));
            // An Arrow file does not say how many rows it has.
            (Box::new(batches), table, 0)
        };
        if let Some(cause) = tables::refuse_columns(&table) {
            return Err(damaged(cause));
        }
        Ok(Self { path: path.into(), batches, current: None, rows_done: 0, rows, bytes })
    }

    /// The batch being read and the next row in it.
    fn next_row(&mut self) -> Option<Result<(RecordBatch, usize), String>> {
        loop {
            if let Some((batch, row)) = &mut self.current
                && *row < batch.num_rows()
            {
                *row += 1;
                return Some(Ok((batch.clone(), *row - 1)));
            }
            match self.batches.next()? {
                Ok(batch) => self.current = Some((batch, 0)),
                Err(cause) => return Some(Err(cause)),
            }
        }
    }
}

impl Reader for TableReader {
    fn fill(&mut self, batch: &mut Batch<'_>) -> bool {
        for _ in 0..CHUNK_EVENTS_MAX {
            let Some(next) = self.next_row() else { return false };
            let more = next.is_ok();
            let event = next.map_err(|cause| format!("table is damaged here: {cause}")).and_then(
                |(rows, row)| {
                    let record = tables::row(&rows, row);
                    let event = batch.parser.record_event(&record, None);
                    event.map_err(|reason| reason.to_string())
                },
            );
            self.rows_done += 1;
            match event {
                Ok(event) => batch.events.push(event),
                Err(reason) => {
                    let offset = format!("{}:row {}", self.path.display(), self.rows_done);
                    batch.rejects.push(Reject::new(batch.source, offset, reason, b""));
                }
            }
            if !more {
                return false;
            }
        }
        true
    }

    fn done_bytes(&self) -> u64 {
        if self.rows == 0 {
            return 0;
        }
        (self.bytes as f64 * self.rows_done as f64 / self.rows as f64) as u64
    }
}
