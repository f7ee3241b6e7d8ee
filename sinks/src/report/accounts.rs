//! What the whole run adds up to, kept current from tick to tick: bets, closing line value,
//! calibration, drawdown, models. Corrections replace what they correct.

use std::collections::BTreeMap;
use std::sync::Arc;

use schema::{EventId, FixtureId, Forecast, LedgerRow, LedgerStatus, Money, Outbox, Time};

use crate::calibration::{Calibration, ForecastRecord};
use crate::statistics::{Drawdown, Moments};

/// Most changes of model that are remembered; the newest are.
const MODELS_MAX: usize = 20;

/// A bet as the ledger last gave it: as much as is needed to tell and to undo a restatement.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Bet {
    pub pnl: Money,
    pub clv: Option<f64>,
    pub outcome: Option<Box<str>>,
    pub status: LedgerStatus,
    pub revision: u32,
}

impl Bet {
    fn of(row: &LedgerRow) -> Self {
        Self {
            pnl: row.pnl,
            clv: row.clv.filter(|clv| clv.is_finite()),
            outcome: row.outcome.as_deref().map(Into::into),
            status: row.status,
            revision: row.revision,
        }
    }

    fn is_settled(&self) -> bool {
        self.status != LedgerStatus::Open
    }

    /// The closing line value that counts: a void bet never stood.
    fn counted_clv(&self) -> Option<f64> {
        self.clv.filter(|_| self.status != LedgerStatus::Void)
    }
}

/// What a ledger row means for the day's page.
#[derive(Debug, PartialEq)]
pub(super) enum Change {
    /// Nothing to tell: placed, or a provisional result became final.
    None,
    /// The bet was settled.
    Settled,
    /// A settled bet was restated; this is what it was before.
    Corrected(Bet),
}

/// A model that went into use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ModelChange {
    pub since: Time,
    pub model: Arc<str>,
}

/// The figures as they stand, which a closed day keeps for its page.
#[derive(Clone, Debug, Default)]
pub(super) struct Figures {
    pub clv: Moments,
    pub calibration: Calibration,
    pub drawdown: Drawdown,
    pub models: Vec<ModelChange>,
}

/// The running accounts.
#[derive(Debug, Default)]
pub(super) struct Accounts {
    pub figures: Figures,
    bets: BTreeMap<EventId, Bet>,
    forecasts: BTreeMap<FixtureId, ForecastRecord>,
}

impl Accounts {
    /// Takes the parts of an outbox that are not about single bets.
    pub(super) fn apply(&mut self, outbox: &Outbox) {
        self.figures.drawdown.observe(outbox.bankroll.as_f64());
        let known = self.figures.models.last().map(|change| &*change.model);
        if !outbox.model.is_empty() && known != Some(outbox.model.as_str()) {
            if self.figures.models.len() == MODELS_MAX {
                self.figures.models.remove(0);
            }
            let model = outbox.model.as_str().into();
            self.figures.models.push(ModelChange { since: outbox.time, model });
        }
        outbox.forecasts.iter().for_each(|forecast| self.apply_forecast(forecast));
    }

    fn apply_forecast(&mut self, forecast: &Forecast) {
        let Some(record) = ForecastRecord::of(forecast) else { return };
        if let Some(before) = self.forecasts.insert(FixtureId::of(&forecast.fixture), record) {
            self.figures.calibration.remove(&before);
        }
        self.figures.calibration.add(&record);
    }

    /// Takes a ledger row; an older revision than the known one, or the same, changes nothing.
    pub(super) fn apply_row(&mut self, row: &LedgerRow) -> Change {
        let bet = Bet::of(row);
        let before = self.bets.get(&row.suggestion_id);
        if before.is_some_and(|before| before.revision >= bet.revision) {
            return Change::None;
        }
        if let Some(clv) = before.and_then(Bet::counted_clv) {
            self.figures.clv.remove(clv);
        }
        if let Some(clv) = bet.counted_clv() {
            self.figures.clv.add(clv);
        }
        let same = |before: &Bet| {
            (before.pnl, before.clv, &before.outcome) == (bet.pnl, bet.clv, &bet.outcome)
                && before.is_settled() == bet.is_settled()
        };
        let is_new = before.is_none_or(|before| !before.is_settled());
        let is_same = before.is_some_and(same);
        let is_settled = bet.is_settled();
        let before = self.bets.insert(row.suggestion_id, bet);
        match before {
            _ if is_new && is_settled => Change::Settled,
            Some(before) if !is_new && !is_same => Change::Corrected(before),
            _ => Change::None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::made_up;

    #[test]
    fn settling_finality_and_correction_are_told_apart() {
        let mut accounts = Accounts::default();
        let row = |outcome, pnl, revision| made_up::settled_row(1, outcome, pnl, 0.03, revision);
        assert_eq!(accounts.apply_row(&made_up::ledger_row(1)), Change::None);
        assert_eq!(accounts.apply_row(&row("win", 10.0, 2)), Change::Settled);
        assert_eq!(accounts.apply_row(&row("win", 10.0, 2)), Change::None, "repeated");
        let last = LedgerRow { status: LedgerStatus::Final, ..row("win", 10.0, 3) };
        assert_eq!(accounts.apply_row(&last), Change::None, "became final");
        let Change::Corrected(before) = accounts.apply_row(&row("loss", -5.0, 4)) else {
            panic!("a changed outcome is a correction");
        };
        assert_eq!(before.pnl, Money::new(10.0).unwrap());
        assert_eq!(accounts.apply_row(&row("win", 10.0, 3)), Change::None, "an old revision");
        assert_eq!(accounts.figures.clv.n(), 1);
        assert!(matches!(accounts.apply_row(&row("void", 0.0, 5)), Change::Corrected(_)));
        assert_eq!(accounts.figures.clv.n(), 0, "a void bet has no closing line value");
    }

    #[test]
    fn a_corrected_result_replaces_its_forecast() {
        let mut accounts = Accounts::default();
        for outcome in [0, 2, 1] {
            let forecasts = vec![made_up::forecast(1, [0.5, 0.3, 0.2], outcome)];
            accounts.apply(&Outbox { forecasts, ..Outbox::default() });
        }
        let calibration = accounts.figures.calibration;
        assert_eq!(calibration.forecasts(), 1);
        assert!((calibration.log_loss().unwrap() + 0.3_f64.ln()).abs() < 1e-9);
    }

    #[test]
    fn models_are_listed_as_they_change() {
        let mut accounts = Accounts::default();
        for model in ["market", "market", "", "abc", "market"] {
            accounts.apply(&Outbox { model: model.to_owned(), ..Outbox::default() });
        }
        let models: Vec<_> = accounts.figures.models.iter().map(|m| &*m.model).collect();
        assert_eq!(models, ["market", "abc", "market"]);
    }
}
