"""The reference training step of benches/hgt, in PyTorch: `pytorch.py SIDE FOLDER STEPS THREADS`.

SIDE `hgtconv` is torch-geometric's HGTConv; `plain` computes the same by hand, with relation
matrices folded into the projections. FOLDER is what the bench wrote: the graph, the labels and the
weights, as raw little-endian numbers beside shape.json. With 0 STEPS the outputs and the gradients of
the mean cross-entropy are written to FOLDER as SIDE.outputs and SIDE.gradients, in the layout of the
weights; otherwise one JSON line tells the milliseconds and CPU time of steps and the peak memory.
"""
import json
import math
import resource
import sys
import time
import warnings

import numpy
import torch

warnings.filterwarnings("ignore")


class Reference:
    """Graph, labels and weights."""

    def __init__(self, folder):
        with open(f"{folder}/shape.json") as file:
            shape = json.load(file)
        self.folder, self.types, self.relations = folder, shape["types"], shape["relations"]
        self.hidden, self.heads, self.layers = shape["hidden"], shape["heads"], shape["layers"]
        self.head_width = self.hidden // self.heads
        read = lambda name, kind: torch.from_numpy(numpy.fromfile(f"{folder}/{name}", kind))
        self.features = [
            read(f"features.{at}", "<f4").reshape(it["count"], it["width"])
            for at, it in enumerate(self.types)
        ]
        self.edges = [
            torch.stack([read(f"{end}.{at}", "<i4").long() for end in ("sources", "targets")])
            for at in range(len(self.relations))
        ]
        self.labels = read("labels", "<i4").long()
        flat, at = read("weights", "<f4"), 0
        self.order, self.weights = [], {}
        for name, size in shape["parameters"]:
            length = math.prod(size)
            self.order.append(name)
            self.weights[name] = flat[at : at + length].reshape(size).clone()
            at += length
        assert at == len(flat)
        self.first = [sum(it["width"] for it in self.types[:at]) for at in range(len(self.types))]


class Plain:
    """By hand: one product for keys and values of a relation, gathers, a softmax per target."""

    def __init__(self, reference):
        self.reference = reference
        self.weights = {k: torch.nn.Parameter(v) for k, v in reference.weights.items()}

    def parameters(self):
        return list(self.weights.values())

    def gradients(self):
        grads = {name: it.grad for name, it in self.weights.items()}
        return {k: torch.zeros_like(self.weights[k]) if g is None else g for k, g in grads.items()}

    def folded(self, layer):
        """By relation: (hidden + 1) x 2 hidden, the bias last."""
        r, w = self.reference, lambda name: self.weights[f"layers.{layer}.{name}"]
        both = torch.cat([w("kqv.weight"), w("kqv.bias")[:, None]], 1)
        sources = torch.tensor([it["source"] for it in r.relations])
        rows, by_head = r.hidden + 1, (r.heads, r.head_width)

        def apply(first, matrix):
            part = both[sources, :, first : first + r.hidden]
            part = part.reshape(len(sources), rows, *by_head).transpose(1, 2)
            return (part @ matrix).transpose(1, 2).reshape(len(sources), rows, r.hidden)

        scale = w("prior") / math.sqrt(r.head_width)
        keys = apply(0, w("key_relation") * scale[:, :, None, None])
        return torch.cat([keys, apply(2 * r.hidden, w("value_relation"))], 2)

    def forward(self):
        r, w = self.reference, self.weights
        linear = lambda x, weight, bias: torch.addmm(bias, x, weight)
        states = []
        for at, it in enumerate(r.types):
            weight = w["project.weight"][r.first[at] : r.first[at] + it["width"]]
            states.append(torch.relu(linear(r.features[at], weight, w["project.bias"][at])))
        for layer in range(r.layers):
            states = self.layer(layer, states)
        return linear(states[0], w["outputs.0.weight"], w["outputs.0.bias"])

    def layer(self, layer, states):
        r, w = self.reference, lambda name: self.weights[f"layers.{layer}.{name}"]
        middle = slice(r.hidden, 2 * r.hidden)
        folded, new = self.folded(layer), []
        key_value = [
            torch.addmm(folded[at, -1], states[it["source"]], folded[at, :-1])
            for at, it in enumerate(r.relations)
        ]
        for kind, own in enumerate(states):
            weight, bias = w("kqv.weight")[kind][:, middle], w("kqv.bias")[kind][middle]
            query = torch.addmm(bias, own, weight)
            incoming = [at for at, it in enumerate(r.relations) if it["target"] == kind]
            targets = torch.cat([r.edges[at][1] for at in incoming])
            gathered = [key_value[at].index_select(0, r.edges[at][0]) for at in incoming]
            gathered = torch.cat(gathered)
            keys, values = gathered[:, : r.hidden], gathered[:, r.hidden :]
            by_head = (len(targets), r.heads, r.head_width)
            scores = (keys * query.index_select(0, targets)).view(by_head).sum(-1)
            scores = (scores - scores.detach().amax(0, keepdim=True)).exp()
            sums = torch.zeros(len(own), r.heads).index_add(0, targets, scores)
            attention = scores / sums.index_select(0, targets)
            messages = (values.view(by_head) * attention[:, :, None]).view(-1, r.hidden)
            message = torch.zeros(len(own), r.hidden).index_add(0, targets, messages)
            active = torch.nn.functional.gelu(message)
            result = torch.addmm(w("out.bias")[kind], active, w("out.weight")[kind])
            gate = torch.sigmoid(w("skip")[kind])
            new.append(gate * result + (1 - gate) * own)
        return new


class HgtConv:
    """The same with torch-geometric."""

    def __init__(self, reference):
        from torch_geometric.nn import HGTConv

        r = self.reference = reference
        names = [it["name"] for it in r.types]
        triple = lambda it: (names[it["source"]], it["name"], names[it["target"]])
        self.names, self.triples = names, [triple(it) for it in r.relations]
        linear = torch.nn.Linear
        self.project = [linear(it["width"], r.hidden) for it in r.types]
        convolution = lambda: HGTConv(r.hidden, r.hidden, (names, self.triples), r.heads)
        self.layers = [convolution() for _ in range(r.layers)]
        self.read = linear(r.hidden, r.weights["outputs.0.bias"].shape[0])
        self.features = dict(zip(names, r.features))
        self.edges = dict(zip(self.triples, r.edges))
        with torch.no_grad():
            for name, parts in self.parts(lambda it: it).items():
                for part, value in zip(parts, r.weights[name].reshape(self.split(name))):
                    part.copy_(value.reshape(part.shape))

    def split(self, name):
        """How a parameter of ours is cut into parts of theirs."""
        shape = list(self.reference.weights[name].shape)
        return shape if len(self.parts(lambda it: it)[name]) > 1 else [1, *shape]

    def parts(self, of):
        """Views of their parameters (or, by `of`, of gradients), as rows of ours."""
        r, out = self.reference, {}
        heads, relations, width = r.heads, len(r.relations), r.head_width
        rows = [row for it in self.project for row in of(it.weight).t()]
        out["project.weight"] = rows
        out["project.bias"] = [of(it.bias) for it in self.project]
        for at, layer in enumerate(self.layers):
            p = f"layers.{at}."
            for ours, theirs in (("kqv", layer.kqv_lin), ("out", layer.out_lin)):
                out[p + ours + ".weight"] = [of(theirs.lins[it].weight).t() for it in self.names]
                out[p + ours + ".bias"] = [of(theirs.lins[it].bias) for it in self.names]
            for ours, theirs in (("key", layer.k_rel), ("value", layer.v_rel)):
                matrices = of(theirs.weight).view(heads, relations, width, width)
                out[p + ours + "_relation"] = list(matrices.transpose(0, 1))
            out[p + "prior"] = [of(layer.p_rel["__".join(it)]) for it in self.triples]
            out[p + "skip"] = [of(layer.skip[it]) for it in self.names]
        out["outputs.0.weight"] = [of(self.read.weight).t()]
        out["outputs.0.bias"] = [of(self.read.bias)]
        return out

    def parameters(self):
        return [p for it in [*self.project, *self.layers, self.read] for p in it.parameters()]

    def gradients(self):
        grad = lambda it: torch.zeros_like(it) if it.grad is None else it.grad
        shapes = self.reference.weights
        stacked = {k: torch.stack([x.reshape(-1) for x in v]) for k, v in self.parts(grad).items()}
        return {k: v.reshape(shapes[k].shape) for k, v in stacked.items()}

    def forward(self):
        states = {
            name: torch.relu(layer(self.features[name]))
            for name, layer in zip(self.names, self.project)
        }
        for layer in self.layers:
            states = layer(states, self.edges)
        return self.read(states[self.names[0]])


def main():
    side, folder, steps, threads = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    torch.set_num_threads(threads)
    reference = Reference(folder)
    model = {"plain": Plain, "hgtconv": HgtConv}[side](reference)
    entropy = torch.nn.functional.cross_entropy
    if steps == 0:
        outputs = model.forward()
        entropy(outputs, reference.labels).backward()
        outputs.detach().numpy().astype("<f4").tofile(f"{folder}/{side}.outputs")
        grads = model.gradients()
        flat = torch.cat([grads[name].reshape(-1) for name in reference.order])
        flat.numpy().astype("<f4").tofile(f"{folder}/{side}.gradients")
        return
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    milliseconds = []
    for step in range(steps + 1):
        if step == 1:
            cpu = time.process_time()
        start = time.perf_counter()
        optimizer.zero_grad()
        loss = entropy(model.forward(), reference.labels)
        loss.backward()
        optimizer.step()
        milliseconds.append((time.perf_counter() - start) * 1e3)
    cpu_ms = (time.process_time() - cpu) * 1e3 / steps
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    report = {"ms": milliseconds[1:], "cpu_ms": cpu_ms, "loss": loss.item(), "peak_mib": peak}
    print(json.dumps(report))


main()
