//! Which column means what. The files change their columns every few seasons, so books are found
//! by the shape of their columns' names and not by a list.
//!
//! | shape | what |
//! |---|---|
//! | `<book>H <book>D <book>A` | 1X2, all three of them |
//! | `<book>>2.5 <book><2.5` | over and under a total |
//! | `<book>AHH <book>AHA` | Asian handicap, its home line in `<book>AH`, else `AHh` or `BbAHh` |
//! | `<book>C...` | the same at closing, when `<book>` is a book; line in `AHCh` |
//!
//! `P` (in totals and handicaps) and `PS` (in 1X2) are both Pinnacle: one book, `PS`. Betbrain's
//! `BbAv` and `BbMx` of the older seasons are what `Avg` and `Max` are in the newer ones.

use std::collections::BTreeMap;

use schema::{BookRole, Line, MarketKind};

/// Most quotes a row can have: a slot of the sequence is eight bits, two of them taken.
pub(super) const QUOTES_MAX: usize = 250;

/// Books that are known to end in a C, so that `VCH` is not the closing price of a book `V`.
const BOOKS_ENDING_IN_C: [&str; 1] = ["VC"];

/// Where in a row the prices of one book in one market are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct QuoteColumns {
    /// Name of the book, the same in all seasons and markets.
    pub book: String,
    /// What kind of offer it is.
    pub role: BookRole,
    /// Whether these are closing prices.
    pub closing: bool,
    /// The market.
    pub kind: MarketKind,
    /// Columns of the prices by selection.
    pub prices: Vec<usize>,
    /// Where its line is.
    pub line: LineColumn,
}

/// Where a line comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LineColumn {
    /// The same for the whole column.
    Fixed(Line),
    /// In a column of its own.
    At(usize),
    /// Nowhere: prices without a line say nothing.
    Nowhere,
}

/// Columns of counts, home and away.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct CountColumns {
    pub half_time_goals: Option<[usize; 2]>,
    pub shots: Option<[usize; 2]>,
    pub shots_on_target: Option<[usize; 2]>,
    pub corners: Option<[usize; 2]>,
    pub fouls: Option<[usize; 2]>,
    pub yellow_cards: Option<[usize; 2]>,
    pub red_cards: Option<[usize; 2]>,
}

/// What a header says about the rows below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Columns {
    /// Number of named columns; cells behind them are junk.
    pub width: usize,
    pub division: Option<usize>,
    pub date: usize,
    pub time: Option<usize>,
    pub home: usize,
    pub away: usize,
    /// Full-time goals, home and away.
    pub goals: Option<[usize; 2]>,
    pub counts: CountColumns,
    /// Quotes in the order of their slots.
    pub quotes: Vec<QuoteColumns>,
    /// Names, for messages.
    pub names: Vec<String>,
}

impl Columns {
    /// Reads a header; `None` when it is not one of football-data's.
    pub fn of(header: &[&str]) -> Option<Self> {
        let mut names: Vec<String> = header.iter().map(|name| name.trim().to_owned()).collect();
        while names.last().is_some_and(String::is_empty) {
            names.pop();
        }
        let mut index = BTreeMap::new();
        for (at, name) in names.iter().enumerate() {
            // A name that comes again means the same column again, or junk: the first holds.
            index.entry(name.as_str()).or_insert(at);
        }
        let at = |name: &str| index.get(name).copied();
        let either = |name: &str, other: &str| at(name).or_else(|| at(other));
        let pair = |home: &str, away: &str| Some([at(home)?, at(away)?]);
        Some(Self {
            width: names.len(),
            division: either("Div", "League"),
            date: at("Date")?,
            time: at("Time"),
            home: either("HomeTeam", "Home")?,
            away: either("AwayTeam", "Away")?,
            goals: pair("FTHG", "FTAG").or_else(|| pair("HG", "AG")),
            counts: CountColumns {
                half_time_goals: pair("HTHG", "HTAG"),
                shots: pair("HS", "AS"),
                shots_on_target: pair("HST", "AST"),
                corners: pair("HC", "AC"),
                fouls: pair("HF", "AF"),
                yellow_cards: pair("HY", "AY"),
                red_cards: pair("HR", "AR"),
            },
            quotes: Finder { index: &index }.quotes(&names),
            names,
        })
    }
}

/// Finds quotes among the names of a header.
struct Finder<'a> {
    index: &'a BTreeMap<&'a str, usize>,
}

impl Finder<'_> {
    fn at(&self, name: &str) -> Option<usize> {
        self.index.get(name).copied()
    }

    /// All quotes, in order of their first column.
    fn quotes(&self, names: &[String]) -> Vec<QuoteColumns> {
        let mut found: Vec<QuoteColumns> = Vec::new();
        for (at, name) in names.iter().enumerate() {
            // The first selection's column stands for the market; repeats are junk.
            if self.at(name) != Some(at) {
                continue;
            }
            let quote = self
                .asian_handicap(name)
                .or_else(|| self.one_x_two(name))
                .or_else(|| self.total(name));
            found.extend(quote);
        }
        found.truncate(QUOTES_MAX);
        found
    }

    fn one_x_two(&self, name: &str) -> Option<QuoteColumns> {
        let prefix = name.strip_suffix('H').filter(|prefix| !prefix.is_empty())?;
        let prices = self.columns(prefix, &["H", "D", "A"])?;
        let (book, closing) = self.book(prefix, "H");
        Some(quote(book, closing, MarketKind::OneXTwo, prices, LineColumn::Fixed(Line::ZERO)))
    }

    fn total(&self, name: &str) -> Option<QuoteColumns> {
        let (prefix, line) = name.split_once('>')?;
        let fixed = Line::new(line.parse().ok()?).ok()?;
        let under = format!("<{line}");
        let over = format!(">{line}");
        let prices = self.columns(prefix, &[&over, &under])?;
        let (book, closing) = self.book(prefix, &over);
        Some(quote(book, closing, MarketKind::Total, prices, LineColumn::Fixed(fixed)))
    }

    fn asian_handicap(&self, name: &str) -> Option<QuoteColumns> {
        let prefix = name.strip_suffix("AHH").filter(|prefix| !prefix.is_empty())?;
        let prices = self.columns(prefix, &["AHH", "AHA"])?;
        let (book, closing) = self.book(prefix, "AHH");
        let own = self.at(&format!("{prefix}AH"));
        let common = if closing { ["AHCh", "AHCh"] } else { ["AHh", "BbAHh"] };
        let line = if prefix.starts_with("Bb") { None } else { own }
            .or_else(|| self.at(common[0]))
            .or_else(|| self.at(common[1]));
        let line = line.map_or(LineColumn::Nowhere, LineColumn::At);
        Some(quote(book, closing, MarketKind::AsianHandicap, prices, line))
    }

    /// Columns of all selections, which have to be there.
    fn columns(&self, prefix: &str, suffixes: &[&str]) -> Option<Vec<usize>> {
        suffixes.iter().map(|suffix| self.at(&format!("{prefix}{suffix}"))).collect()
    }

    /// The book a prefix means, and whether its prices are closing ones.
    fn book<'a>(&self, prefix: &'a str, suffix: &str) -> (&'a str, bool) {
        let Some(stem) = prefix.strip_suffix('C').filter(|stem| !stem.is_empty()) else {
            return (prefix, false);
        };
        let opens = self.at(&format!("{stem}{suffix}")).is_some();
        if !opens && BOOKS_ENDING_IN_C.contains(&prefix) { (prefix, false) } else { (stem, true) }
    }
}

fn quote(
    book: &str,
    closing: bool,
    kind: MarketKind,
    prices: Vec<usize>,
    line: LineColumn,
) -> QuoteColumns {
    let book = match book {
        "P" => "PS",
        "BbAv" => "Avg",
        "BbMx" => "Max",
        other => other,
    };
    let role = match book {
        "Avg" | "Max" => BookRole::Reference,
        "BFE" => BookRole::Exchange,
        _ => BookRole::Bookmaker,
    };
    QuoteColumns { book: book.to_owned(), role, closing, kind, prices, line }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(header: &str) -> Vec<String> {
        let names: Vec<&str> = header.split(',').collect();
        let columns = Columns::of(&names).unwrap();
        let show = |q: &QuoteColumns| {
            let when = if q.closing { "closing" } else { "open" };
            format!("{} {:?} {when} {:?} {:?} {:?}", q.book, q.role, q.kind, q.prices, q.line)
        };
        columns.quotes.iter().map(show).collect()
    }

    #[test]
    fn statistics_are_not_taken_for_odds() {
        let header = "Div,Date,HomeTeam,AwayTeam,FTHG,FTAG,FTR,HTHG,HTAG,HTR,Attendance,Referee,\
            HS,AS,HST,AST,HHW,AHW,HC,AC,HF,AF,HFKC,AFKC,HO,AO,HY,AY,HR,AR,HBP,ABP,Bb1X2,BbOU,BbAH";
        assert_eq!(shown(header), Vec::<String>::new());
        let names: Vec<&str> = header.split(',').collect();
        let counts = Columns::of(&names).unwrap().counts;
        assert_eq!((counts.shots, counts.corners), (Some([12, 13]), Some([18, 19])));
    }

    #[test]
    fn a_c_means_closing_unless_it_is_part_of_the_name() {
        let header =
            "Date,HomeTeam,AwayTeam,VCH,VCD,VCA,VCCH,VCCD,VCCA,PSCH,PSCD,PSCA,BFEC>2.5,BFEC<2.5";
        let shown = shown(header);
        let starts: Vec<String> =
            shown.iter().map(|s| s.split(' ').take(3).collect::<Vec<_>>().join(" ")).collect();
        assert_eq!(
            starts,
            [
                "VC Bookmaker open",
                "VC Bookmaker closing",
                "PS Bookmaker closing",
                "BFE Exchange closing"
            ]
        );
    }

    #[test]
    fn a_name_that_comes_again_is_junk_and_one_without_its_partners_too() {
        let header = "Date,HomeTeam,AwayTeam,B365H,B365D,B365A,B365H,B365D,B365A,XYH,XYD,P>2.5,,";
        assert_eq!(shown(header), ["B365 Bookmaker open OneXTwo [3, 4, 5] Fixed(0)"]);
        let names: Vec<&str> = header.split(',').collect();
        assert_eq!(Columns::of(&names).unwrap().width, 12);
    }

    #[test]
    fn a_header_without_teams_is_none() {
        assert!(Columns::of(&["Date", "HomeTeam"]).is_none());
        assert!(Columns::of(&[]).is_none());
    }
}
