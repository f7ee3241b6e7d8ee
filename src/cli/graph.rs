//! `tideline graph`: the topology as a picture, and the graph of fixtures, teams and prices as
//! tables.

use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use model::Pricer;
use model::graph::{Graph, Table};
use schema::{Delta, Names, Outbox};
use tideline::desk::Desk;
use tideline::engine::Observer;

use super::{Shared, print, print_json, replay, shown};

/// Show a topology as a mermaid flow chart, or export the graph that a feed leaves behind
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  tideline graph --topology topology.yaml\n  tideline graph export \
        ../football --to ./graph",
    args_conflicts_with_subcommands = true
)]
pub struct Args {
    #[command(subcommand)]
    what: Option<What>,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    Export(ExportArgs),
}

/// Write the graph as Arrow tables: nodes.arrow and edges.arrow
///
/// Nodes are fixtures, teams, leagues, books and quotes as they stand when the feed or journal is
/// through; edges say who plays, in which competition, at whose prices, and what came before.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  tideline graph export ./data/journal --to ./graph\n  python3 -c \
    \"import pyarrow.ipc as i; print(i.open_file('graph/nodes.arrow').read_pandas())\""
)]
struct ExportArgs {
    /// Feeds, or one journal directory
    #[arg(required = true, value_name = "FEED")]
    feeds: Vec<PathBuf>,
    /// Where to write the two tables
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
}

/// Runs the command.
pub fn run(shared: &Shared, args: &Args) -> Result<ExitCode> {
    if let Some(What::Export(args)) = &args.what {
        return export(shared, args);
    }
    let text = shared.topology()?.graph();
    if shared.json() {
        print_json(&serde_json::json!({ "mermaid": text }))?;
    } else {
        print(&text)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The graph, kept current while facts pass.
#[derive(Default)]
struct Keeper(Graph);

impl Observer for Keeper {
    fn see(&mut self, delta: &Delta, _: &Outbox, _: &Names, _: &dyn Pricer, _: &Desk) {
        self.0.apply(delta);
    }
}

fn export(shared: &Shared, args: &ExportArgs) -> Result<ExitCode> {
    let mut keeper = Keeper::default();
    let replayed =
        replay::Args { feeds: args.feeds.clone(), from: None, resume: None, pricer: None };
    let done = replay::take_through(shared, &replayed, &mut keeper)?;
    std::fs::create_dir_all(&args.to)
        .with_context(|| format!("cannot make {}", shown(&args.to)))?;
    let write = |table: Table, name: &str| {
        write(&keeper.0, table, done.engine.names(), &args.to.join(name))
    };
    let nodes = write(Table::Nodes, "nodes.arrow")?;
    let edges = write(Table::Edges, "edges.arrow")?;
    if shared.json() {
        print_json(&serde_json::json!({ "nodes": nodes, "edges": edges, "to": args.to }))?;
    } else {
        print(&format!("{nodes} nodes and {edges} edges are in {}.\n", shown(&args.to)))?;
    }
    Ok(replay::report_failures(&done.failed))
}

fn write(graph: &Graph, table: Table, names: &Names, path: &Path) -> Result<u64> {
    let file = File::create(path).with_context(|| format!("cannot write {}", shown(path)))?;
    Ok(graph.write(table, names, BufWriter::new(file))?)
}
