//! `ledger`: the bets and what became of them, as a table for a spreadsheet or a notebook.
//!
//! A row is restated in place when facts change, so the files are rewritten whole and swapped in:
//! whoever reads them sees one state or the next, never a mixture. Latest revision wins; rows are
//! ordered by when they were placed, then by id, so the same bets give the same bytes.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use schema::{Clock, EventId, LedgerRow, Outbox, Span, SystemClock, Time};
use serde::{Deserialize, Serialize};

use crate::files::{self, Durability};
use crate::{Error, Result, Sink};

#[cfg(feature = "parquet")]
#[path = "ledger_parquet.rs"]
mod table;

/// Settings in full.
pub const EXAMPLE: &str = "\
type: ledger
csv: out/ledger.csv            # default: ledger.csv in data_dir
parquet: out/ledger.parquet    # default: ledger.parquet in data_dir, where built in
rows_min: 1                    # rewritten when this many rows are new or restated ...
refresh: 10s                   # ... and this long has passed; always at the end
";

/// First line of the CSV.
pub const CSV_HEADER: &str =
    "date,game_id,market,selection,book,odds,stake,pnl,clv,status,revision";

/// Settings of the ledger. When one of the two paths is given, only that file is written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The CSV file. Default: `ledger.csv` in the data folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub csv: Option<PathBuf>,
    /// The Parquet file; needs the cargo feature `parquet`. Default: `ledger.parquet` in the data
    /// folder where the feature is built in, else none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parquet: Option<PathBuf>,
    /// Fewest new or restated rows that the files are rewritten for before the end. Default 1.
    pub rows_min: u32,
    /// Least time between two rewritings, by the machine's clock. Default 10 seconds.
    pub refresh: Span,
}

impl Default for Config {
    fn default() -> Self {
        Self { csv: None, parquet: None, rows_min: 1, refresh: Span::from_ms(10_000) }
    }
}

impl Config {
    /// Opens the ledger; files are first written when there is a row.
    ///
    /// # Errors
    /// [`Error::Setting`] when a Parquet file is asked for and the feature is not built in.
    pub fn open(&self, name: &str, data_dir: &Path) -> Result<Ledger> {
        self.open_with_clock(name, data_dir, Arc::new(SystemClock::new()))
    }

    fn open_with_clock(
        &self,
        name: &str,
        data_dir: &Path,
        clock: Arc<dyn Clock>,
    ) -> Result<Ledger> {
        let has_parquet = cfg!(feature = "parquet");
        if let (Some(path), false) = (&self.parquet, has_parquet) {
            return Err(Error::Setting {
                sink: name.to_owned(),
                setting: "parquet",
                found: path.display().to_string(),
                advice: "this build has no Parquet: build with `--features parquet` or use csv"
                    .to_owned(),
            });
        }
        let unset = self.csv.is_none() && self.parquet.is_none();
        let or_default = |path: &Option<PathBuf>, file: &str, is_default: bool| {
            path.clone().or_else(|| is_default.then(|| data_dir.join(file)))
        };
        Ok(Ledger {
            name: name.to_owned(),
            csv: or_default(&self.csv, "ledger.csv", unset),
            parquet: or_default(&self.parquet, "ledger.parquet", unset && has_parquet),
            rows_min: self.rows_min.max(1),
            refresh_ns: u64::try_from(self.refresh.ms()).unwrap_or(0).saturating_mul(1_000_000),
            written_at_ns: clock.elapsed_ns(),
            clock,
            rows: BTreeMap::new(),
            changed: 0,
        })
    }
}

/// The ledger at work.
pub struct Ledger {
    name: String,
    csv: Option<PathBuf>,
    parquet: Option<PathBuf>,
    rows_min: u32,
    refresh_ns: u64,
    clock: Arc<dyn Clock>,
    written_at_ns: u64,
    rows: BTreeMap<EventId, LedgerRow>,
    changed: u32,
}

impl std::fmt::Debug for Ledger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ledger")
            .field("name", &self.name)
            .field("rows", &self.rows.len())
            .finish_non_exhaustive()
    }
}

impl Ledger {
    fn apply(&mut self, row: &LedgerRow) {
        let known = self.rows.get(&row.suggestion_id);
        if known.is_none_or(|known| row.revision > known.revision) {
            self.rows.insert(row.suggestion_id, row.clone());
            self.changed += 1;
        }
    }

    fn write(&mut self) -> Result<()> {
        let mut rows: Vec<&LedgerRow> = self.rows.values().collect();
        let order = |row: &&LedgerRow| -> (Time, EventId) { (row.placed_at, row.suggestion_id) };
        rows.sort_unstable_by_key(order);
        if let Some(path) = &self.csv {
            files::replace(path, csv(&rows).as_bytes(), Durability::Synced)?;
        }
        #[cfg(feature = "parquet")]
        if let Some(path) = &self.parquet {
            let refuse = |reason| Error::Parquet { path: path.clone(), reason };
            let bytes = table::encode(&rows).map_err(refuse)?;
            files::replace(path, &bytes, Durability::Synced)?;
        }
        self.changed = 0;
        Ok(())
    }
}

impl Sink for Ledger {
    fn name(&self) -> &str {
        &self.name
    }

    fn check(&self) -> Result<()> {
        [&self.csv, &self.parquet].into_iter().flatten().try_for_each(|p| files::check_writable(p))
    }

    fn publish(&mut self, outbox: &Outbox) -> Result<()> {
        outbox.ledger.iter().for_each(|row| self.apply(row));
        if self.changed < self.rows_min {
            return Ok(());
        }
        let now = self.clock.elapsed_ns();
        if now.saturating_sub(self.written_at_ns) < self.refresh_ns {
            return Ok(());
        }
        self.written_at_ns = now;
        self.write()
    }

    fn finish(&mut self) -> Result<()> {
        if self.changed > 0 { self.write() } else { Ok(()) }
    }
}

/// The CSV: RFC 4180 with line feeds, amounts in units of currency, CLV as a fraction or empty.
fn csv(rows: &[&LedgerRow]) -> String {
    let mut text = String::with_capacity(64 + rows.len() * 96);
    text.push_str(CSV_HEADER);
    text.push('\n');
    for row in rows {
        for name in [&row.date, &row.game_id, &row.market, &row.selection, &row.book] {
            push_name(&mut text, name);
            text.push(',');
        }
        let _ = write!(text, "{},{},{},", row.odds, row.stake, row.pnl);
        if let Some(clv) = row.clv.filter(|clv| clv.is_finite()) {
            let _ = write!(text, "{clv:.6}");
        }
        let _ = writeln!(text, ",{},{}", row.status.name(), row.revision);
    }
    text
}

/// A cell that came from a feed. A spreadsheet runs what starts like a formula, so such a cell gets
/// an apostrophe in front, as OWASP's note on CSV injection advises.
fn push_name(text: &mut String, name: &str) {
    let is_formula = name.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let is_quoted = name.contains([',', '"', '\n', '\r']);
    if is_quoted {
        text.push('"');
    }
    if is_formula {
        text.push('\'');
    }
    for c in name.chars() {
        if c == '"' {
            text.push('"');
        }
        text.push(c);
    }
    if is_quoted {
        text.push('"');
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use proptest::prelude::*;
    use schema::{LedgerStatus, ManualClock};

    use super::*;
    use crate::made_up;

    fn write_all(folder: &Path, run: &[Outbox]) -> Vec<u8> {
        let mut sink = Config::default().open("ledger", folder).unwrap();
        for outbox in run {
            sink.publish(outbox).unwrap();
        }
        sink.finish().unwrap();
        fs::read(folder.join("ledger.csv")).unwrap()
    }

    #[test]
    fn the_csv_is_exact() {
        let folder = tempfile::tempdir().unwrap();
        let bytes = write_all(folder.path(), &made_up::small_run());
        let expected = "\
            date,game_id,market,selection,book,odds,stake,pnl,clv,status,revision\n\
            2022-08-05,E0|2022-08-05|Crystal Palace|Ath Bilbao,1x2,draw,PS,2.35,41.20,-41.20,0.031400,provisional,3\n\
            2022-08-05,\"'=1+1</td><script>alert(\"\"1\"\")</script>&'\",asian_handicap 0.25,away,'@book,2.35,41.20,0.00,,open,1\n\
            2022-08-05,E0|2022-08-05|Brighton|Paris SG,total 2.5,over,BW,2.35,41.20,-20.00,-0.012000,provisional,2\n";
        assert_eq!(String::from_utf8(bytes).unwrap(), expected);
    }

    #[test]
    fn order_of_arrival_and_repetition_leave_no_trace() {
        let folder = tempfile::tempdir().unwrap();
        let run = made_up::small_run();
        let bytes = write_all(folder.path(), &run);
        let mut jumbled: Vec<Outbox> = run.iter().rev().cloned().collect();
        jumbled.extend(run.iter().cloned());
        for outbox in &mut jumbled {
            outbox.ledger.reverse();
        }
        assert_eq!(write_all(folder.path(), &jumbled), bytes);
    }

    #[test]
    fn the_files_are_rewritten_at_a_bounded_pace() {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::default());
        let config = Config { rows_min: 2, ..Config::default() };
        let time = Arc::<ManualClock>::clone(&clock);
        let mut sink = config.open_with_clock("ledger", folder.path(), time).unwrap();
        let path = folder.path().join("ledger.csv");
        let with = |n| Outbox { ledger: vec![made_up::ledger_row(n)], ..Outbox::default() };
        clock.set(Time::from_ms(60_000));
        sink.publish(&with(1)).unwrap();
        assert!(!path.exists(), "one row is too few");
        sink.publish(&with(2)).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 3);
        sink.publish(&with(3)).unwrap();
        sink.publish(&with(4)).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 3, "too soon");
        sink.finish().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 5);
    }

    #[test]
    fn a_run_without_bets_does_not_touch_an_earlier_ledger() {
        let folder = tempfile::tempdir().unwrap();
        let bytes = write_all(folder.path(), &made_up::small_run());
        assert_eq!(write_all(folder.path(), &[Outbox::default()]), bytes);
    }

    #[test]
    fn names_that_look_like_formulas_are_disarmed() {
        let cell = |name: &str| {
            let mut text = String::new();
            push_name(&mut text, name);
            text
        };
        assert_eq!(cell("=HYPERLINK(\"http://x\",1)"), "\"'=HYPERLINK(\"\"http://x\"\",1)\"");
        for start in ["+1", "-1", "@SUM(A1)", "=1"] {
            assert_eq!(cell(start), format!("'{start}"));
        }
        assert_eq!(cell("Nott'm Forest"), "Nott'm Forest");
    }

    #[cfg(not(feature = "parquet"))]
    #[test]
    fn parquet_without_the_feature_says_how_to_get_it() {
        let config = Config { parquet: Some("x.parquet".into()), ..Config::default() };
        let error = config.open("ledger", Path::new(".")).unwrap_err().to_string();
        assert!(error.contains("--features parquet"), "{error}");
    }

    proptest! {
        #[test]
        fn any_name_reads_back(name in "\\PC{0,12}[\",\n\r=+@-]?\\PC{0,12}") {
            let mut row = made_up::ledger_row(1);
            row.game_id.clone_from(&name);
            row.status = LedgerStatus::Void;
            let text = csv(&[&row]);
            let mut reader = csv::Reader::from_reader(text.as_bytes());
            let records: Vec<csv::StringRecord> = reader.records().map(|r| r.unwrap()).collect();
            prop_assert_eq!(records.len(), 1);
            prop_assert_eq!(records[0].len(), 11);
            let read = records[0][1].to_owned();
            prop_assert!(!read.starts_with(['=', '+', '-', '@']));
            prop_assert_eq!(read.strip_prefix('\'').unwrap_or(&read), name.strip_prefix('\'').unwrap_or(&name));
        }
    }
}
