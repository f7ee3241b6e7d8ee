//! `tideline models`: what was trained, how well it did, and which of it prices.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::process::ExitCode;

use anyhow::{Result, bail};
use schema::SystemClock;
use tideline::registry::{Alias, Registry, Run};

use super::{Shared, print, print_json, shown};

/// Characters of a digest that are shown.
const SHORT: usize = 12;

/// List, compare, promote and roll back trained models
///
/// A model is named by its digest, the first characters of it, or `champion` or `challenger`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  tideline models list --data-dir ./state\n  tideline models diff \
    champion challenger\n  tideline models rollback"
)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Every model, the latest window last
    #[command(after_help = "Example:\n  tideline models list --data-dir ./state")]
    List {
        /// Show only the latest
        #[arg(long, default_value_t = 20, value_name = "N")]
        last: usize,
    },
    /// One model: where it came from and how its parent did
    #[command(after_help = "Example:\n  tideline models show champion")]
    Show {
        /// Which
        model: String,
    },
    /// What is different between two models
    #[command(after_help = "Example:\n  tideline models diff champion challenger")]
    Diff {
        /// One
        from: String,
        /// The other
        to: String,
    },
    /// Price with this model from now on, until the next window's goes live
    ///
    /// The running engine is told; it journals the change before it prices with it.
    #[command(after_help = "Example:\n  tideline models promote 3f2a9c01")]
    Promote {
        /// Which
        model: String,
    },
    /// Price with the champion's parent again, until the next window's model goes live
    #[command(after_help = "Example:\n  tideline models rollback")]
    Rollback,
}

/// Runs the command.
pub fn run(shared: &Shared, args: &Args) -> Result<ExitCode> {
    let data_dir = shared.data_dir(&shared.topology()?);
    let registry = Registry::of(&data_dir, true);
    if registry.runs()?.is_empty() {
        bail!(
            "{} has no models yet: they appear when the first window closes; --data-dir says where \
             to look",
            shown(&data_dir)
        );
    }
    match &args.action {
        Action::List { last } => list(shared, &registry, *last)?,
        Action::Show { model } => show(shared, &registry, &registry.run(model)?)?,
        Action::Diff { from, to } => diff(shared, &registry.run(from)?, &registry.run(to)?)?,
        Action::Promote { model } => promote(shared, &registry, &registry.run(model)?)?,
        Action::Rollback => {
            let champion = registry.run("champion")?;
            let Some(parent) = champion.parent else {
                bail!("the champion is the first model: there is none before it");
            };
            promote(shared, &registry, &registry.run(&parent)?)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn short(digest: &str) -> &str {
    digest.get(..SHORT).unwrap_or(digest)
}

fn roles(registry: &Registry, digest: &str) -> Result<String> {
    let aliases = registry.aliases()?;
    let has = |alias: Alias| aliases.get(&alias).is_some_and(|named| named == digest);
    let named = [(Alias::Champion, "champion"), (Alias::Challenger, "challenger")];
    let named: Vec<&str> =
        named.into_iter().filter(|(alias, _)| has(*alias)).map(|(_, name)| name).collect();
    Ok(named.join(", "))
}

fn list(shared: &Shared, registry: &Registry, last: usize) -> Result<()> {
    let runs = registry.runs()?;
    let runs = &runs[runs.len().saturating_sub(last)..];
    if shared.json() {
        return print_json(&runs);
    }
    let mut text = format!(
        "{:<14}{:<8}{:<12}{:>8}{:>10}{:>15}  role\n",
        "model", "pricer", "window end", "markets", "miss", "miss consensus"
    );
    for run in runs {
        let metric = |name: &str, digits: usize| {
            run.metrics.get(name).map_or("-".to_owned(), |value| format!("{value:.digits$}"))
        };
        let _ = writeln!(
            text,
            "{:<14}{:<8}{:<12}{:>8}{:>10}{:>15}  {}",
            short(&run.digest),
            run.pricer,
            run.window_end.to_string().split('T').next().unwrap_or_default(),
            metric("markets", 0),
            metric("miss", 5),
            metric("miss_consensus", 5),
            roles(registry, &run.digest)?,
        );
    }
    text.push_str(
        "\nmiss: mean squared distance of log-probabilities from the close, of the model that priced the \
         window.\n",
    );
    print(&text)
}

fn show(shared: &Shared, registry: &Registry, run: &Run) -> Result<()> {
    registry.artifact(&run.digest)?;
    if shared.json() {
        return print_json(run);
    }
    let mut text = format!(
        "model       {}\nrole        {}\npricer      {}\nwindow end  {}\nparent      {}\nlearned     \
         ticks {} to {}\ndata        {}\nartifact    {} bytes, as stored\n",
        run.digest,
        roles(registry, &run.digest)?,
        run.pricer,
        run.window_end,
        run.parent.as_deref().unwrap_or("none"),
        run.ticks[0],
        run.ticks[1],
        run.data_digest,
        run.bytes,
    );
    for (name, value) in &run.metrics {
        let _ = writeln!(text, "{name:<16}{value}");
    }
    let _ = writeln!(text, "settings    {}", run.config);
    print(&text)
}

fn diff(shared: &Shared, from: &Run, to: &Run) -> Result<()> {
    let (mut settings, mut left, mut right) = (BTreeSet::new(), Vec::new(), Vec::new());
    flatten("", &from.config, &mut left);
    flatten("", &to.config, &mut right);
    settings.extend(left.iter().chain(&right).map(|(key, _)| key.clone()));
    let value = |all: &[(String, String)], key: &str| {
        all.iter().find(|(name, _)| name == key).map_or("-".to_owned(), |(_, value)| value.clone())
    };
    let mut rows: Vec<[String; 3]> = settings
        .iter()
        .map(|key| [format!("settings.{key}"), value(&left, key), value(&right, key)])
        .filter(|[_, from, to]| from != to)
        .collect();
    rows.push(["window_end".to_owned(), from.window_end.to_string(), to.window_end.to_string()]);
    rows.push(["data".to_owned(), short(&from.data_digest).into(), short(&to.data_digest).into()]);
    let metrics: BTreeSet<&String> = from.metrics.keys().chain(to.metrics.keys()).collect();
    for name in metrics {
        let of = |run: &Run| run.metrics.get(name).map_or("-".to_owned(), |x| format!("{x:.6}"));
        rows.push([name.clone(), of(from), of(to)]);
    }
    if shared.json() {
        return print_json(&rows);
    }
    let mut text = format!("{:<28}{:<28}{}\n", "", short(&from.digest), short(&to.digest));
    for [name, from, to] in rows {
        let _ = writeln!(text, "{name:<28}{from:<28}{to}");
    }
    print(&text)
}

/// Settings as dotted keys with their values.
fn flatten(prefix: &str, value: &serde_json::Value, into: &mut Vec<(String, String)>) {
    let serde_json::Value::Object(fields) = value else {
        into.push((prefix.to_owned(), value.to_string()));
        return;
    };
    for (key, value) in fields {
        let key = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
        flatten(&key, value, into);
    }
}

fn promote(shared: &Shared, registry: &Registry, run: &Run) -> Result<()> {
    registry.artifact(&run.digest)?;
    let data_dir = shared.data_dir(&shared.topology()?);
    let path = tideline::control::promote(&data_dir, &run.digest, &SystemClock::new())?;
    if shared.json() {
        return print_json(&serde_json::json!({ "promote": run.digest, "command": path }));
    }
    print(&format!(
        "The engine is told to price with {} (window of {}); it does so as soon as it runs.\n",
        short(&run.digest),
        run.window_end
    ))
}
