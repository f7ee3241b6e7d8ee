//! The topology as a picture, in mermaid text.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;
use serde_json::Value;

use super::Topology;

impl Topology {
    /// The topology as a mermaid flow chart: sources, the steps of the engine, sinks.
    pub fn graph(&self) -> String {
        let mut out = String::from("flowchart LR\n");
        part(&mut out, "sources", 's', &self.sources);
        let lenses: Vec<_> = self.lenses.panel.iter().map(kind).collect();
        let kelly = self.lenses.kelly_fraction;
        let steps = [
            ("sequencer", String::new()),
            ("journal", format!("{}/journal", self.data_dir.display())),
            ("dataflow", format!("de-vig {}", self.market.devig.name())),
            ("pricer", kind(&self.model.pricer)),
            ("lenses", lenses.join(", ")),
            ("desk", format!("{kelly} Kelly, bankroll {}", self.bankroll.start)),
        ];
        out.push_str("  subgraph engine\n    direction LR\n");
        for (name, detail) in &steps {
            node(&mut out, name, name, detail);
        }
        node(&mut out, "trainer", "trainer", &format!("every {}", self.model.window));
        let names: Vec<_> = steps.iter().map(|(name, _)| *name).collect();
        let _ = writeln!(out, "    {}", names.join(" --> "));
        out.push_str(
            "    dataflow -. window closed .-> trainer -. model live .-> sequencer\n  end\n",
        );
        part(&mut out, "sinks", 'o', &self.sinks);
        for index in 0..self.sources.len() {
            let _ = writeln!(out, "  s{index} --> sequencer");
        }
        for index in 0..self.sinks.len() {
            let _ = writeln!(out, "  desk --> o{index}");
        }
        out
    }
}

/// A box around all components of a kind.
fn part<T: Serialize>(out: &mut String, title: &str, letter: char, all: &BTreeMap<String, T>) {
    if all.is_empty() {
        return;
    }
    let _ = writeln!(out, "  subgraph {title}");
    for (index, (name, component)) in all.iter().enumerate() {
        node(out, &format!("{letter}{index}"), name, &kind(component));
    }
    out.push_str("  end\n");
}

fn node(out: &mut String, id: &str, name: &str, detail: &str) {
    let escaped =
        |text: &str| text.replace('&', "#amp;").replace('"', "#quot;").replace('<', "#lt;");
    let line = if detail.is_empty() { String::new() } else { format!("<br/>{}", escaped(detail)) };
    let _ = writeln!(out, "    {id}[\"{}{line}\"]", escaped(name));
}

/// The `type` of a component.
fn kind(component: &impl Serialize) -> String {
    let value = serde_json::to_value(component).unwrap_or_default();
    value.get("type").and_then(Value::as_str).unwrap_or("?").to_owned()
}
