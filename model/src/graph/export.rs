//! The graph as two Arrow tables, nodes and edges, for anyone who wants to look.
//!
//! Written a batch at a time, so that a large graph is never in memory twice. A node is known by its
//! type and its name; a quote's name is made of its fixture's, market's, selection's and book's.

use std::io::Write;
use std::sync::Arc;

use arrow_array::{
    ArrayRef, Float64Array, RecordBatch, StringArray, TimestampMillisecondArray, UInt16Array,
};
use arrow_ipc::writer::FileWriter;
use arrow_schema::{DataType, Field, Schema, TimeUnit};
use schema::{FixtureId, Market, MarketRow, Names, Time};

use super::{Graph, Node};
use crate::{Error, Result};

/// Rows a batch.
const BATCH_ROWS_MAX: usize = 16_384;
/// Finished matches of a team before a fixture that are written as its last ones.
const LAST_MATCHES_MAX: usize = 10;

/// Which table of the graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Table {
    /// One row a node.
    Nodes,
    /// One row an edge.
    Edges,
}

fn text(name: &str, nullable: bool) -> Field {
    Field::new(name, DataType::Utf8, nullable)
}

fn number(name: &str) -> Field {
    Field::new(name, DataType::Float64, true)
}

/// Columns of the nodes: `type` (`fixture`, `team`, `league`, `book`, `quote`) and `name`; of a
/// fixture `kick_off` and, once played, `home_score` and `away_score`; of a quote the decimal `odds`
/// and de-vigged `fair_probability` a decision would go by.
pub fn nodes_schema() -> Schema {
    let utc = DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into()));
    Schema::new(vec![
        text("type", false),
        text("name", false),
        Field::new("kick_off", utc, true),
        Field::new("home_score", DataType::UInt16, true),
        Field::new("away_score", DataType::UInt16, true),
        number("odds"),
        number("fair_probability"),
    ])
}

/// Columns of the edges: `relation`, `source_type`, `source`, `target_type`, `target`.
pub fn edges_schema() -> Schema {
    Schema::new(
        ["relation", "source_type", "source", "target_type", "target"]
            .map(|name| text(name, false))
            .to_vec(),
    )
}

impl Graph {
    /// Writes one of its tables as an Arrow IPC file; gives the number of rows.
    ///
    /// # Errors
    /// [`Error::Export`] when it cannot be written.
    pub fn write(&self, table: Table, names: &Names, out: impl Write) -> Result<u64> {
        match table {
            Table::Nodes => self.write_nodes(names, out),
            Table::Edges => self.write_edges(names, out),
        }
    }

    fn write_nodes(&self, names: &Names, out: impl Write) -> Result<u64> {
        let mut sheet = Sheet::new(out, nodes_schema())?;
        let mut rows: Vec<NodeLine> = Vec::new();
        for team in self.teams() {
            rows.push(NodeLine::named("team", names.get(team)));
        }
        for league in self.leagues() {
            rows.push(NodeLine::named("league", names.get(league)));
        }
        for book in self.books() {
            rows.push(NodeLine::named("book", names.get(book)));
        }
        for (id, node) in self.fixtures() {
            rows.push(NodeLine::fixture(id, node, names));
            for (_, row) in standing(node) {
                rows.extend(NodeLine::quotes(row, names));
            }
            if rows.len() >= BATCH_ROWS_MAX {
                sheet.put(node_columns(&rows))?;
                rows.clear();
            }
        }
        sheet.put(node_columns(&rows))?;
        sheet.finish()
    }

    fn write_edges(&self, names: &Names, out: impl Write) -> Result<u64> {
        let mut sheet = Sheet::new(out, edges_schema())?;
        let mut rows: Vec<[String; 5]> = Vec::new();
        for (id, node) in self.fixtures() {
            self.fixture_edges(id, node, names, &mut rows);
            if rows.len() >= BATCH_ROWS_MAX {
                sheet.put(edge_columns(&rows))?;
                rows.clear();
            }
        }
        for team in self.teams() {
            for (id, _) in self.last_matches(team, Time::MAX).take(LAST_MATCHES_MAX) {
                rows.push(edge(
                    "last_matches",
                    ("fixture", names.get(id)),
                    ("team", names.get(team)),
                ));
            }
        }
        sheet.put(edge_columns(&rows))?;
        sheet.finish()
    }

    fn fixture_edges(
        &self,
        id: FixtureId,
        node: &Node,
        names: &Names,
        rows: &mut Vec<[String; 5]>,
    ) {
        let fixture = ("fixture", names.get(id));
        if let Some(row) = &node.row {
            rows.push(edge("plays_home", ("team", names.get(row.home)), fixture));
            rows.push(edge("plays_away", ("team", names.get(row.away)), fixture));
            rows.push(edge("in_league", fixture, ("league", names.get(row.league))));
            if let Some((past, _)) = self.previous_meeting(row) {
                rows.push(edge("previous_meeting", ("fixture", names.get(past)), fixture));
            }
        }
        for (_, row) in standing(node) {
            for quote in NodeLine::quotes(row, names) {
                let node = ("quote", quote.name.as_str());
                rows.push(edge("quotes", node, fixture));
                rows.push(edge("prices", ("book", quote.book.as_str()), node));
            }
        }
    }

    /// Every book with a price a decision would go by, by id.
    pub fn books(&self) -> Vec<schema::BookId> {
        let rows = self.fixtures().flat_map(|(_, node)| standing(node).map(|(_, row)| row));
        let mut books: Vec<_> =
            rows.flat_map(|row| row.books.iter().map(|quote| quote.book)).collect();
        books.sort_unstable();
        books.dedup();
        books
    }
}

fn standing(node: &Node) -> impl Iterator<Item = (Market, &Arc<MarketRow>)> {
    node.markets.iter().filter_map(|(market, quotes)| Some((*market, quotes.standing()?)))
}

fn edge(relation: &str, source: (&str, &str), target: (&str, &str)) -> [String; 5] {
    [relation, source.0, source.1, target.0, target.1].map(str::to_owned)
}

/// One row of the nodes.
#[derive(Default)]
struct NodeLine {
    kind: &'static str,
    name: String,
    book: String,
    kick_off: Option<i64>,
    score: Option<[u16; 2]>,
    odds: Option<f64>,
    fair: Option<f64>,
}

impl NodeLine {
    fn named(kind: &'static str, name: &str) -> Self {
        Self { kind, name: name.to_owned(), ..Self::default() }
    }

    fn fixture(id: FixtureId, node: &Node, names: &Names) -> Self {
        Self {
            kick_off: node.row.map(|row| row.kick_off.ms()),
            score: node.played().map(|result| [result.score.home, result.score.away]),
            ..Self::named("fixture", names.get(id))
        }
    }

    /// A line for every price in a row.
    fn quotes(row: &MarketRow, names: &Names) -> Vec<Self> {
        let mut lines = Vec::new();
        let fixture = names.get(row.fixture);
        for quote in &row.books {
            let book = names.get(quote.book);
            for (at, selection) in row.market.selections().iter().enumerate() {
                let odds = quote.prices[at];
                if odds.is_some() {
                    lines.push(Self {
                        kind: "quote",
                        name: format!("{fixture}|{}|{selection}|{book}", row.market),
                        book: book.to_owned(),
                        odds: Some(odds.decimal()),
                        fair: quote.is_complete().then(|| quote.fair[at].as_f64()),
                        ..Self::default()
                    });
                }
            }
        }
        lines
    }
}

fn node_columns(rows: &[NodeLine]) -> Vec<ArrayRef> {
    let score = |side: usize| -> ArrayRef {
        Arc::new(rows.iter().map(|row| row.score.map(|s| s[side])).collect::<UInt16Array>())
    };
    vec![
        Arc::new(StringArray::from_iter_values(rows.iter().map(|row| row.kind))),
        Arc::new(StringArray::from_iter_values(rows.iter().map(|row| &row.name))),
        Arc::new(
            rows.iter()
                .map(|row| row.kick_off)
                .collect::<TimestampMillisecondArray>()
                .with_timezone("UTC"),
        ),
        score(0),
        score(1),
        Arc::new(rows.iter().map(|row| row.odds).collect::<Float64Array>()),
        Arc::new(rows.iter().map(|row| row.fair).collect::<Float64Array>()),
    ]
}

fn edge_columns(rows: &[[String; 5]]) -> Vec<ArrayRef> {
    let column = |at: usize| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(rows.iter().map(|row| &row[at])))
    };
    (0..5).map(column).collect()
}

/// An Arrow IPC file under way.
struct Sheet<W: Write> {
    schema: Arc<Schema>,
    writer: FileWriter<W>,
    rows: u64,
}

impl<W: Write> Sheet<W> {
    fn new(out: W, schema: Schema) -> Result<Self> {
        let writer = FileWriter::try_new(out, &schema).map_err(Error::Export)?;
        Ok(Self { schema: Arc::new(schema), writer, rows: 0 })
    }

    fn put(&mut self, columns: Vec<ArrayRef>) -> Result<()> {
        let batch =
            RecordBatch::try_new(Arc::clone(&self.schema), columns).map_err(Error::Export)?;
        self.rows += batch.num_rows() as u64;
        self.writer.write(&batch).map_err(Error::Export)
    }

    fn finish(mut self) -> Result<u64> {
        self.writer.finish().map_err(Error::Export)?;
        Ok(self.rows)
    }
}
