//! `tideline ledger`: the bets and what became of them.

use std::collections::BTreeMap;
use std::process::ExitCode;

use anyhow::Result;
use schema::LedgerRow;
use tideline::setup::Rehearsal;

use super::{Shared, print, print_json};

/// Show the ledger of a data directory, worked out afresh from its journal
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  tideline ledger --data-dir ./state --last 20\n  tideline ledger --league E0 --json"
)]
pub struct Args {
    /// Only this competition
    #[arg(long, value_name = "NAME")]
    league: Option<String>,
    /// Only this market, without its line (`1x2`, `total`, `asian_handicap`)
    #[arg(long, value_name = "NAME")]
    market: Option<String>,
    /// Only rows in this state (`open`, `provisional`, `final`, `void`)
    #[arg(long, value_name = "STATE")]
    status: Option<String>,
    /// Only the last N rows
    #[arg(long, value_name = "N")]
    last: Option<usize>,
}

/// Runs the command.
pub fn run(shared: &Shared, args: &Args) -> Result<ExitCode> {
    let dir = shared.data_dir(&shared.topology()?);
    let journal = tideline::engine::journal_dir(&dir);
    let done =
        Rehearsal::of_journal(journal, None)?.workers(shared.workers()).run(&mut (), |_, _| {})?;
    let all = done.engine.counts().ledger();
    let wanted = |row: &&&LedgerRow| {
        args.league.as_ref().is_none_or(|league| *league == row.league)
            && args
                .market
                .as_ref()
                .is_none_or(|market| row.market.split(' ').next() == Some(market))
            && args.status.as_ref().is_none_or(|status| status == row.status.name())
    };
    let mut rows: Vec<_> = all.iter().filter(wanted).copied().collect();
    let skip = args.last.map_or(0, |last| rows.len().saturating_sub(last));
    rows.drain(..skip);
    if shared.json() {
        print_json(&BTreeMap::from([("rows", rows)]))?;
    } else {
        print(&table(&rows))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn table(rows: &[&LedgerRow]) -> String {
    let mut text = format!(
        "{:10}  {:44}  {:22}  {:9}  {:8}  {:>7}  {:>9}  {:>9}  {:>7}  {:11}  {}\n",
        "date",
        "game",
        "market",
        "selection",
        "book",
        "odds",
        "stake",
        "pnl",
        "clv",
        "status",
        "rev"
    );
    for row in rows {
        let clv = row.clv.map_or("-".to_owned(), |clv| format!("{:+.1} %", clv * 100.0));
        text.push_str(&format!(
            "{:10}  {:44}  {:22}  {:9}  {:8}  {:>7}  {:>9}  {:>9}  {clv:>7}  {:11}  {}\n",
            row.date,
            row.game_id,
            row.market,
            row.selection,
            row.book,
            row.odds,
            row.stake,
            row.pnl,
            row.status.name(),
            row.revision,
        ));
    }
    text.push_str(&format!("{} rows\n", rows.len()));
    text
}
