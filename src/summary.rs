//! What a run came to: the counts kept on the way and the one JSON object `--json` ends with.

use std::collections::BTreeMap;

use schema::{Change, Delta, EventId, LedgerRow, LedgerStatus, Money, Outbox};
use serde::Serialize;

use crate::dead_letters::DeadLetter;
use crate::desk::Tally;
use crate::engine::Engine;
use crate::notes::Notes;
use crate::views_digest::ViewsDigest;

/// Counts kept tick by tick.
#[derive(Debug, Default)]
pub struct Counts {
    /// Facts accepted.
    pub events: u64,
    /// Records refused.
    pub rejected: u64,
    /// Fixtures seen.
    pub fixtures: u64,
    /// Standing results seen (fixtures that have one now).
    pub results: u64,
    /// Ticks.
    pub ticks: u64,
    /// Models that went live.
    pub models: u64,
    /// Trainings whose model was compared with the live one, and those that failed.
    pub challengers: u64,
    pub(crate) trainings_failed: u64,
    ledger: BTreeMap<EventId, LedgerRow>,
    bankroll: Money,
    peak: Money,
    drawdown_max: f64,
}

impl Counts {
    pub(crate) fn take(&mut self, delta: &Delta, outbox: &Outbox, notes: &Notes) {
        self.fixtures += appeared(&delta.fixtures);
        self.fixtures -= disappeared(&delta.fixtures);
        self.results += appeared(&delta.results);
        self.results -= disappeared(&delta.results);
        self.ticks += 1;
        self.events += notes.facts as u64;
        self.bankroll = outbox.bankroll;
        self.peak = self.peak.max(outbox.bankroll);
        if self.peak.is_positive() {
            let drawdown = 1.0 - outbox.bankroll.as_f64() / self.peak.as_f64();
            self.drawdown_max = self.drawdown_max.max(drawdown);
        }
        for row in &outbox.ledger {
            self.ledger.insert(row.suggestion_id, row.clone());
        }
    }

    /// The ledger as it stands, in the order bets were placed.
    pub fn ledger(&self) -> Vec<&LedgerRow> {
        let mut rows: Vec<_> = self.ledger.values().collect();
        rows.sort_by_key(|row| (row.placed_at, row.suggestion_id));
        rows
    }
}

/// What the ledger came to.
#[derive(Clone, Debug, Serialize)]
pub struct LedgerSummary {
    /// Bets placed that stand (void ones left out).
    pub bets: u64,
    /// Money staked on them.
    pub staked: Money,
    /// Profit.
    pub pnl: Money,
    /// Bets with a closing line.
    pub clv_bets: u64,
    /// Mean closing line value per bet, unweighted.
    pub clv_mean: Option<f64>,
    /// Lower end of its 95 % interval.
    pub clv_lo: Option<f64>,
    /// Upper end of its 95 % interval.
    pub clv_hi: Option<f64>,
    /// Greatest fall of the bankroll from a peak, as a fraction.
    pub max_drawdown: f64,
}

/// What a run came to.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    /// Facts accepted.
    pub events: u64,
    /// Records refused.
    pub rejected: u64,
    /// The first of them by reason, with how often.
    pub reject_reasons: BTreeMap<String, u64>,
    /// Fixtures seen.
    pub fixtures: u64,
    /// Of these, fixtures with a standing result.
    pub results: u64,
    /// Ticks.
    pub ticks: u64,
    /// Suggestions by what happened to them.
    pub suggestions: Tally,
    /// The ledger.
    pub ledger: LedgerSummary,
    /// The bankroll at the end.
    pub bankroll: Money,
    /// How often the hard stop tripped.
    pub hard_stops: u64,
    /// Models that went live.
    pub models: u64,
    /// Trainings whose model was compared with the live one.
    pub challengers: u64,
    /// Trainings that failed.
    pub trainings_failed: u64,
    /// What the facts came to, where it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub views: Option<ViewsDigest>,
    /// The sha256 of the whole suggestion stream.
    pub digest: String,
}

impl Summary {
    /// The summary of an engine as it stands.
    pub fn of(engine: &Engine) -> Self {
        let counts = engine.counts();
        Self {
            events: counts.events,
            rejected: counts.rejected,
            reject_reasons: reasons(engine.dead_letters().kept()),
            fixtures: counts.fixtures,
            results: counts.results,
            ticks: counts.ticks,
            suggestions: engine.desk().tally(),
            ledger: ledger_summary(&counts.ledger(), counts.drawdown_max),
            bankroll: engine.desk().account().bankroll(),
            hard_stops: engine.desk().hard_stops(),
            models: counts.models,
            challengers: counts.challengers,
            trainings_failed: counts.trainings_failed,
            views: None,
            digest: engine.digest(),
        }
    }
}

/// Rows that appeared. The dataflow does not take back the rows of fixtures it forgets, so the
/// difference to those that disappeared is what there is.
fn appeared<K, V>(changes: &[Change<K, V>]) -> u64 {
    changes.iter().filter(|change| change.before.is_none()).count() as u64
}

fn disappeared<K, V>(changes: &[Change<K, V>]) -> u64 {
    changes.iter().filter(|change| change.after.is_none()).count() as u64
}

fn reasons(letters: &[DeadLetter]) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for letter in letters {
        *counts.entry(letter.reason.clone()).or_default() += 1;
    }
    counts
}

fn ledger_summary(rows: &[&LedgerRow], max_drawdown: f64) -> LedgerSummary {
    let stands: Vec<_> = rows.iter().filter(|row| row.status != LedgerStatus::Void).collect();
    let clv: Vec<f64> = stands.iter().filter_map(|row| row.clv).collect();
    let interval = (!clv.is_empty()).then(|| sinks::statistics::mean_interval(&clv));
    LedgerSummary {
        bets: stands.len() as u64,
        staked: stands.iter().map(|row| row.stake).sum(),
        pnl: stands.iter().map(|row| row.pnl).sum(),
        clv_bets: clv.len() as u64,
        clv_mean: interval.map(|(mean, _, _)| mean),
        clv_lo: interval.map(|(_, lo, _)| lo),
        clv_hi: interval.map(|(_, _, hi)| hi),
        max_drawdown,
    }
}
