//! The ledger as Parquet, for notebooks and query engines: the same rows and columns as the CSV,
//! typed by `schema::ledger_schema`.

use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, RecordBatch, StringArray, UInt32Array};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use schema::LedgerRow;

/// Rows of one Parquet row group, so that encoding a long ledger needs bounded memory.
const GROUP_ROWS_MAX: usize = 65_536;

/// The rows as the bytes of a Parquet file.
pub(super) fn encode(rows: &[&LedgerRow]) -> Result<Vec<u8>, String> {
    let level = ZstdLevel::try_new(3).map_err(|error| error.to_string())?;
    let properties = WriterProperties::builder().set_compression(Compression::ZSTD(level)).build();
    let schema = Arc::new(schema::ledger_schema());
    let mut writer = ArrowWriter::try_new(Vec::new(), Arc::clone(&schema), Some(properties))
        .map_err(|error| error.to_string())?;
    for group in rows.chunks(GROUP_ROWS_MAX) {
        let batch = RecordBatch::try_new(Arc::clone(&schema), columns(group));
        let batch = batch.map_err(|error| error.to_string())?;
        writer.write(&batch).map_err(|error| error.to_string())?;
    }
    writer.into_inner().map_err(|error| error.to_string())
}

/// In the order of `schema::ledger_schema`, which `RecordBatch::try_new` checks by type.
fn columns(rows: &[&LedgerRow]) -> Vec<ArrayRef> {
    let text = |of: fn(&LedgerRow) -> &str| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(rows.iter().map(|row| of(row))))
    };
    let number = |of: fn(&LedgerRow) -> f64| -> ArrayRef {
        Arc::new(Float64Array::from_iter_values(rows.iter().map(|row| of(row))))
    };
    let clv: Float64Array = rows.iter().map(|row| row.clv.filter(|clv| clv.is_finite())).collect();
    let revision = UInt32Array::from_iter_values(rows.iter().map(|row| row.revision));
    vec![
        text(|row| &row.date),
        text(|row| &row.game_id),
        text(|row| &row.market),
        text(|row| &row.selection),
        text(|row| &row.book),
        number(|row| row.odds.decimal()),
        number(|row| row.stake.as_f64()),
        number(|row| row.pnl.as_f64()),
        Arc::new(clv),
        text(|row| row.status.name()),
        Arc::new(revision),
    ]
}

#[cfg(test)]
mod tests {
    use arrow_array::cast::AsArray as _;
    use arrow_array::types::{Float64Type, UInt32Type};
    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

    use crate::{Sink as _, ledger, made_up};

    #[test]
    fn the_parquet_reads_back_as_the_csv() {
        let folder = tempfile::tempdir().unwrap();
        let mut sink = ledger::Config::default().open("ledger", folder.path()).unwrap();
        for outbox in made_up::small_run() {
            sink.publish(&outbox).unwrap();
        }
        sink.finish().unwrap();

        let file = std::fs::File::open(folder.path().join("ledger.parquet")).unwrap();
        let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap();
        let batches: Vec<_> = reader.map(|batch| batch.unwrap()).collect();
        assert_eq!(batches.len(), 1);
        let batch = &batches[0];
        let names: Vec<_> = batch.schema().fields().iter().map(|f| f.name().clone()).collect();
        assert_eq!(names.join(","), ledger::CSV_HEADER);

        let csv = std::fs::read_to_string(folder.path().join("ledger.csv")).unwrap();
        let mut reader = csv::Reader::from_reader(csv.as_bytes());
        let records: Vec<csv::StringRecord> = reader.records().map(|r| r.unwrap()).collect();
        assert_eq!(batch.num_rows(), records.len());
        for (index, record) in records.iter().enumerate() {
            for column in [0, 1, 2, 3, 4, 9] {
                let cell = batch.column(column).as_string::<i32>().value(index);
                assert_eq!(cell, record[column].trim_start_matches('\''));
            }
            for column in [5, 6, 7, 8] {
                let cells = batch.column(column).as_primitive::<Float64Type>();
                let found = cells.iter().nth(index).unwrap();
                assert_eq!(found, record[column].parse().ok());
            }
            let revision = batch.column(10).as_primitive::<UInt32Type>().value(index);
            assert_eq!(revision.to_string(), record[10]);
        }
    }
}
