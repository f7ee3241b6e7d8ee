//! What the bets came to, all of them and by kind.

use sinks::chart::{Axis, LineChart};
use sinks::html::Escaped;

use super::{As, Page, Row, money};

impl Page<'_> {
    /// The bankroll, the figures with and without suspect prices, and by kind.
    pub(super) fn bets(&mut self) {
        self.section("bets", "Bets");
        if self.number("/bets/all/bets").unwrap_or(0.0) == 0.0 {
            self.put("<p class=\"empty\">No bet was placed.</p></section>");
            return;
        }
        let (start, end) = (
            self.show("/bets/bankroll_start", As::Money),
            self.show("/bets/bankroll_end", As::Money),
        );
        let void = self.show("/bets/void", As::Count);
        self.put(&format!("<p class=\"reading\">The bankroll went from {start} to {end}."));
        if self.number("/bets/void") != Some(0.0) {
            self.put(&format!(" Bets whose stake came back, which count nowhere: {void}."));
        }
        self.put("</p>");
        if self.rows("/bets/curve") > 1 {
            let picture = self.bankroll();
            self.put(&format!(
                "<figure>{picture}<figcaption>Bankroll at the end of each day on which it moved; the \
                 dashed line is what it began with.</figcaption></figure>"
            ));
        }
        let over = self.show("/bets/suspect_over_median", As::Fixed(2));
        let most = self.show("/bets/price_to_median_max", As::Fixed(3));
        self.put(&format!(
            "<h3>With and without suspect prices</h3><p class=\"reading\">Suspect is a price over \
             {over} times the median of the books\u{2019} prices; the highest taken was {most} \
             times.</p>"
        ));
        let rows = vec![
            self.figures("All".to_owned(), None, "/bets/all"),
            self.figures("Without suspect prices".to_owned(), None, "/bets/without_suspect"),
            self.figures("Suspect prices only".to_owned(), None, "/bets/suspect"),
        ];
        self.bet_table("Bets with and without suspect prices", "Bets at", false, &rows);
        for (heading, key, table) in [
            ("By season", "Season", "/bets/by_season"),
            ("By edge", "Edge", "/bets/by_edge"),
            ("By market", "Market", "/bets/by_market"),
            ("By book", "Book", "/bets/by_book"),
            ("By league", "League", "/bets/by_league"),
        ] {
            self.groups(heading, key, table);
        }
        self.put("</section>");
    }

    fn groups(&mut self, heading: &str, key: &str, table: &str) {
        self.put(&format!("<h3>{}</h3>", Escaped(heading)));
        let names = |page: &Self, i: usize| {
            let how = if table.ends_with("by_market") { As::Name } else { As::Text };
            let name = page.show(&format!("{table}/{i}/key"), how);
            let suspect = page.show(&format!("{table}/{i}/suspect"), As::Count);
            (name, suspect)
        };
        let row = |page: &Self, i: usize, of: &str| {
            let (name, suspect) = names(page, i);
            page.figures(name, Some(suspect), &format!("{table}/{i}/{of}"))
        };
        let n = self.rows(table);
        let rows: Vec<Row> = (0..n).map(|i| row(self, i, "all")).collect();
        self.bet_table(&format!("Bets {}", heading.to_lowercase()), key, true, &rows);
        if (0..n).any(|i| self.number(&format!("{table}/{i}/suspect")).unwrap_or(0.0) > 0.0) {
            self.fold("Without suspect prices");
            let rows: Vec<Row> = (0..n).map(|i| row(self, i, "without_suspect")).collect();
            let caption = format!("Bets {}, without suspect prices", heading.to_lowercase());
            self.bet_table(&caption, key, true, &rows);
            self.put("</details>");
        }
    }

    fn bet_table(&mut self, caption: &str, key: &str, with_suspect: bool, rows: &[Row]) {
        let mut headings = vec![key, "=Bets"];
        if with_suspect {
            headings.push("=Suspect");
        }
        headings.extend([
            "=Odds",
            "=CLV",
            "=CLV above 0",
            "=Yield, flat",
            "=Yield, as staked",
            "=Staked",
            "=Profit",
            "=Drawdown",
        ]);
        self.table(caption, &headings, rows);
    }

    fn figures(&self, name: String, suspect: Option<String>, pointer: &str) -> Row {
        let at = |key: &str| format!("{pointer}/{key}");
        let mut cells = vec![name, self.show(&at("bets"), As::Count)];
        cells.extend(suspect);
        cells.extend([
            self.show(&at("mean_odds"), As::Fixed(2)),
            self.estimate(&at("clv"), As::SignedPercent(2)),
            self.estimate(&at("clv_positive"), As::Percent(0)),
            self.estimate(&at("flat_yield"), As::SignedPercent(1)),
            self.estimate(&at("kelly_yield"), As::SignedPercent(1)),
            self.show(&at("staked"), As::Money),
            self.show(&at("profit"), As::Money),
            self.show(&at("max_drawdown"), As::Percent(1)),
        ]);
        Row::of(cells)
    }

    fn bankroll(&self) -> String {
        let at =
            |i: usize, key: &str| self.number(&format!("/bets/curve/{i}/{key}")).unwrap_or(0.0);
        // What the run began with stands at its first tick, long before the first bet.
        let first = usize::from(self.rows("/bets/curve") > 2);
        let line: Vec<(f64, f64)> =
            (first..self.rows("/bets/curve")).map(|i| (at(i, "day"), at(i, "bankroll"))).collect();
        let start = self.number("/bets/bankroll_start").unwrap_or(0.0);
        let values = line.iter().map(|point| point.1).chain([start]);
        let y = Axis::round(values, 5, |value, _| money(value));
        let last = money(line.last().map_or(start, |point| point.1));
        let description = format!("The bankroll went from {} to {last}.", money(start));
        LineChart {
            id: "bankroll",
            title: "Bankroll over time",
            description: &description,
            line: &line,
            band: &[],
            dots: &[],
            level: Some((start, "")),
            y: &y,
            last: &last,
        }
        .figure()
    }
}
