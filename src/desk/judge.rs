//! Judging: from what passes the gates to what is issued, revised and withdrawn.
//!
//! All bets of a fixture are sized together, those already placed included, so that a stake on the
//! home side and one on its handicap know of each other.

use std::collections::BTreeSet;
use std::sync::Arc;

use lenses::{Bet as Sized, Held, MarketPrice, Room, Stake, odds_min, size};
use model::Pricer;
use schema::{
    Action, BookRole, EventId, FixtureId, FixtureRow, Market, Money, Names, Odds, Probability,
    RunState, Selection, Suggestion, SuggestionQuote,
};

use super::bet::{Bet, Phase};
use super::look::{Depth, Look};
use super::message::{Next, SCHEMA, bet_id};
use super::{Desk, Due};

/// Relative change of a stake below which a suggestion is left as it is.
const STAKE_STEP: f64 = 0.10;
/// Times one selection may be suggested anew after it was taken back.
const ISSUES_PER_SELECTION_MAX: usize = 5;
/// Most quotes listed in a message.
const QUOTES_MAX: usize = 12;

impl Desk {
    /// Looks again at every touched fixture and says what changed.
    pub(super) fn judge(
        &mut self,
        touched: &BTreeSet<FixtureId>,
        names: &Names,
        pricer: &dyn Pricer,
    ) {
        if self.state == RunState::Halt || self.now < self.settings.bets_from {
            return;
        }
        for fixture in touched {
            self.judge_fixture(*fixture, names, pricer);
        }
    }

    fn judge_fixture(&mut self, fixture: FixtureId, names: &Names, pricer: &dyn Pricer) {
        let looks = self.look(fixture, &Depth::Edges, pricer);
        self.withdraw_refused(fixture, &looks);
        let accepted: Vec<&Look> =
            looks.iter().filter(|look| self.can_stake(fixture, look)).collect();
        if accepted.is_empty() {
            return;
        }
        let stakes = self.stakes(fixture, &accepted, pricer);
        for (look, stake) in accepted.iter().zip(stakes) {
            self.stake(fixture, look, stake, names, pricer);
        }
    }

    /// Takes back what no longer passes, proposals and advice to take a placed bet alike.
    fn withdraw_refused(&mut self, fixture: FixtureId, looks: &[Look]) {
        let Some(entry) = self.slate.get(fixture) else { return };
        let started = entry.row.is_some_and(|row| row.kick_off <= self.now);
        let standing =
            entry.bets.iter().filter(|bet| !bet.is_withdrawn() && bet.settlement.is_none());
        let mut refused: Vec<(EventId, String)> = Vec::new();
        for bet in standing.filter(|_| !started) {
            let look =
                looks.iter().find(|l| l.market == bet.market && l.selection == bet.selection);
            match look {
                Some(look) if look.passes() => {}
                Some(look) => {
                    let refusal =
                        look.verdict.as_ref().and_then(|verdict| verdict.refusal.as_ref());
                    refused.push((bet.id, refusal.map_or_else(String::new, |r| r.reason.clone())));
                }
                None => refused.push((bet.id, "no fresh price is on offer any more".to_owned())),
            }
        }
        for (id, why) in refused {
            self.withdraw_bet(fixture, id, &why);
        }
    }

    /// Whether a look may get a stake: it passes, nothing is placed on the selection yet, and it
    /// has not been taken back too often.
    fn can_stake(&self, fixture: FixtureId, look: &Look) -> bool {
        let Some(entry) = self.slate.get(fixture) else { return false };
        let mut same = entry
            .bets
            .iter()
            .filter(|bet| bet.market == look.market && bet.selection == look.selection);
        let placed = same.clone().any(|bet| bet.phase == Phase::Filled);
        let proposed = same.clone().any(|bet| bet.phase == Phase::Proposed);
        let often = same.nth(ISSUES_PER_SELECTION_MAX - 1).is_some();
        let allowed = proposed || (self.state == RunState::Run && !often);
        look.passes() && !placed && allowed
    }

    /// Joint stakes, as fractions of the bankroll, within the room the caps leave.
    fn stakes(&self, fixture: FixtureId, accepted: &[&Look], pricer: &dyn Pricer) -> Vec<Stake> {
        let Some((entry, row)) = self.bettable(fixture) else { return Vec::new() };
        let bets: Vec<Sized> = accepted.iter().map(|look| sized(look)).collect();
        let held: Vec<Held> = entry
            .bets
            .iter()
            .filter(|bet| bet.phase == Phase::Filled && bet.settlement.is_none())
            .map(|bet| Held {
                bet: Sized {
                    market: bet.market,
                    selection: bet.selection,
                    role: bet.role,
                    net_odds: bet.net_odds(),
                    fair: bet.fair,
                },
                stake: self.account.fraction(bet.stake),
            })
            .collect();
        let prices: Vec<MarketPrice> = entry
            .markets
            .iter()
            .filter_map(|(market, market_row)| {
                let fair = pricer.price(market_row, row.league, self.now)?;
                Some(MarketPrice {
                    market: *market,
                    fair: fair.probabilities.map(Probability::as_f64),
                })
            })
            .collect();
        let proposed: Vec<&Bet> =
            accepted.iter().filter_map(|look| self.proposal(fixture, look)).collect();
        let room = self.room(fixture, row.league, row.kick_off.day(), &proposed);
        size(&bets, &held, &prices, &room, self.settings.lenses.kelly_fraction)
    }

    /// What the caps leave, the proposals about to be resized counted as free.
    fn room(
        &self,
        fixture: FixtureId,
        league: schema::LeagueId,
        day: i64,
        proposed: &[&Bet],
    ) -> Room {
        let caps = &self.settings.lenses.caps;
        let free = |used: Money, of: &dyn Fn(&Bet) -> bool| {
            let own: Money = proposed.iter().filter(|bet| of(bet)).map(|bet| bet.stake).sum();
            self.account.fraction(used - own)
        };
        let left = |cap: f64, used: f64| (cap - used).max(0.0);
        let available = self.account.fraction(self.account.available())
            + self.account.fraction(proposed.iter().map(|bet| bet.stake).sum());
        let role =
            |role: BookRole| free(self.account.on_role(role), &move |bet: &Bet| bet.role == role);
        Room {
            bet: caps.bet.min(available),
            fixture: left(caps.fixture, free(self.account.on_fixture(fixture), &|_| true))
                .min(available),
            league: left(caps.league, free(self.account.on_league(league), &|_| true)),
            day: left(caps.day, free(self.account.on_day(day), &|bet| bet.day == day)),
            bookmaker: left(caps.bookmaker, role(BookRole::Bookmaker)),
            exchange: left(caps.exchange, role(BookRole::Exchange)),
        }
    }

    fn proposal(&self, fixture: FixtureId, look: &Look) -> Option<&Bet> {
        let bets = &self.slate.get(fixture)?.bets;
        let same = |bet: &&Bet| bet.market == look.market && bet.selection == look.selection;
        bets.iter().filter(same).find(|bet| bet.phase == Phase::Proposed)
    }

    /// Issues, revises, or lets a bet of no stake go.
    fn stake(
        &mut self,
        fixture: FixtureId,
        look: &Look,
        stake: Stake,
        names: &Names,
        pricer: &dyn Pricer,
    ) {
        let amount = self.account.bankroll().fraction(stake.fraction);
        debug_assert!(stake.fraction <= self.settings.lenses.caps.bet, "a stake is within its cap");
        let proposal = self.proposal(fixture, look).map(|bet| bet.id);
        match proposal {
            Some(id) if amount.is_positive() => {
                self.revise(fixture, id, look, amount, stake, names);
            }
            Some(id) => self.withdraw_bet(fixture, id, "the limits leave nothing to stake on it"),
            None if amount.is_positive() => self.issue(fixture, look, amount, stake, names, pricer),
            None => {}
        }
    }

    fn issue(
        &mut self,
        fixture: FixtureId,
        look: &Look,
        amount: Money,
        stake: Stake,
        names: &Names,
        pricer: &dyn Pricer,
    ) {
        let Some((_, row)) = self.bettable(fixture) else { return };
        let amount = amount.min(self.account.available());
        if !amount.is_positive() {
            return;
        }
        let mut message = self.first_message((fixture, &row), look, names);
        pricer.model().clone_into(&mut message.model);
        message.stake = amount;
        let id = message.suggestion_id;
        let message = Arc::new(self.filled_in(message, fixture, look, stake, names));
        let mut bet = Bet {
            id,
            market: look.market,
            selection: look.selection,
            league: row.league,
            day: row.kick_off.day(),
            book: look.quote.book,
            role: look.quote.role,
            quoted_at: look.quote.at,
            odds: look.odds,
            commission_bps: look.commission_bps,
            fair: look.fair.probabilities.map(Probability::as_f64),
            stake: amount,
            phase: Phase::Proposed,
            issued_at: self.now,
            placed_at: None,
            message,
            price_void: false,
            settlement: None,
            counted: None,
            clv: None,
            is_final: false,
            ledger_revision: 0,
        };
        self.account.place(bet.placement(fixture));
        self.send(&mut bet, Next { action: Action::Issued, reason: None });
        self.due.insert((self.now.plus(self.settings.fill_after), Due::Fill(fixture, id)));
        self.due.insert((bet.message.expires_at, Due::Expire(fixture, id)));
        if let Some(entry) = self.slate.get_mut(fixture) {
            entry.bets.push(bet);
        }
    }

    /// The first message about a bet, without stake and model and what [`Self::filled_in`] adds.
    fn first_message(
        &self,
        (fixture, row): (FixtureId, &FixtureRow),
        look: &Look,
        names: &Names,
    ) -> Suggestion {
        let (name, book) = (names.get(fixture), names.get(look.quote.book));
        Suggestion {
            schema: SCHEMA,
            event_id: EventId::default(),
            suggestion_id: bet_id(name, look.market, look.selection, book, self.now.ms()),
            revision: 0,
            action: Action::Issued,
            retracts: None,
            tick: self.tick,
            event_time: self.now,
            emit_time: self.emit_time,
            fixture: name.to_owned(),
            league: names.get(row.league).to_owned(),
            home: names.get(row.home).to_owned(),
            away: names.get(row.away).to_owned(),
            kick_off: row.kick_off,
            market: look.market.to_string(),
            selection: look.selection.name(look.market).to_owned(),
            book: book.to_owned(),
            odds: look.odds,
            odds_min: Odds::NONE,
            fair_probability: 0.0,
            edge: 0.0,
            confidence: 0.0,
            stake: Money::ZERO,
            bankroll: self.account.bankroll(),
            stake_limit: String::new(),
            reason: String::new(),
            lenses: Vec::new(),
            quotes: Vec::new(),
            expires_at: row.kick_off,
            model: String::new(),
            outcome: None,
            pnl: None,
            clv: None,
        }
    }

    /// Brings a proposal up to date; silent when nothing a bettor would act on changed.
    fn revise(
        &mut self,
        fixture: FixtureId,
        id: EventId,
        look: &Look,
        amount: Money,
        stake: Stake,
        names: &Names,
    ) {
        let reduced = self.state != RunState::Run;
        self.with_bet(fixture, id, |desk, bet| {
            let amount = if reduced { amount.min(bet.stake) } else { amount };
            let moved = look.odds != bet.odds || look.quote.book != bet.book;
            let step = (amount - bet.stake).as_f64().abs() / bet.stake.as_f64().max(1e-9);
            let mut message = desk.filled_in((*bet.message).clone(), fixture, look, stake, names);
            let remaining = bet.message.expires_at.since(desk.now);
            let extends = message.expires_at > bet.message.expires_at
                && remaining < desk.settings.stale_after.ms() / 2;
            if !moved && step <= STAKE_STEP && !extends {
                return;
            }
            desk.account.release(bet.placement(fixture));
            bet.stake = amount.min(desk.account.available());
            bet.odds = look.odds;
            bet.book = look.quote.book;
            bet.role = look.quote.role;
            bet.quoted_at = look.quote.at;
            bet.commission_bps = look.commission_bps;
            bet.fair = look.fair.probabilities.map(Probability::as_f64);
            desk.account.place(bet.placement(fixture));
            names.get(bet.book).clone_into(&mut message.book);
            message.bankroll = desk.account.bankroll();
            desk.due.insert((message.expires_at, Due::Expire(fixture, id)));
            bet.message = Arc::new(message);
            desk.send(bet, Next { action: Action::Revised, reason: None });
        });
    }

    /// A message with everything that follows from the look.
    fn filled_in(
        &self,
        mut message: Suggestion,
        fixture: FixtureId,
        look: &Look,
        stake: Stake,
        names: &Names,
    ) -> Suggestion {
        let fair = look.probability();
        message.odds_min = odds_min(fair, self.settings.lenses.edge_min, look.commission_bps);
        message.fair_probability = fair;
        message.edge = look.edge();
        stake.limit.name().clone_into(&mut message.stake_limit);
        message.expires_at = message.kick_off.min(look.quote.at.plus(self.settings.stale_after));
        if let Some(verdict) = &look.verdict {
            message.confidence = verdict.confidence;
            message.lenses.clone_from(&verdict.readings);
            message.reason = format!(
                "{:+.1}% edge at {}: fair price {:.2}. {}",
                look.edge() * 100.0,
                look.odds,
                1.0 / fair,
                verdict.reason(),
            );
        }
        message.quotes = self.quotes(fixture, look.market, look.selection, names);
        message
    }

    /// Every fresh price of a selection one can bet at, best first.
    fn quotes(
        &self,
        fixture: FixtureId,
        market: Market,
        selection: Selection,
        names: &Names,
    ) -> Vec<SuggestionQuote> {
        let row = self.slate.get(fixture).and_then(|entry| entry.markets.get(&market));
        let Some(row) = row else { return Vec::new() };
        let offers = self.offers(row, selection).into_iter().take(QUOTES_MAX);
        offers
            .map(|(quote, odds, _)| SuggestionQuote {
                book: names.get(quote.book).to_owned(),
                odds,
                at: quote.at,
            })
            .collect()
    }

    fn withdraw_bet(&mut self, fixture: FixtureId, id: EventId, why: &str) {
        self.with_bet(fixture, id, |desk, bet| desk.withdraw(fixture, bet, why));
    }
}

fn sized(look: &Look) -> Sized {
    Sized {
        market: look.market,
        selection: look.selection,
        role: look.quote.role,
        net_odds: look.odds.after_commission(look.commission_bps),
        fair: look.fair.probabilities.map(Probability::as_f64),
    }
}
