"""The figures of docs/related.md from the studies of check_related.sh, with their bounds."""
import sys

import h5py
import numpy as np

folder = sys.argv[1]
wrong = []


def bound(holds, text):
    print(("     " if holds else "BAD  ") + text)
    if not holds:
        wrong.append(text)


def read(study):
    with h5py.File(f"{folder}/{study}/results.h5") as f:
        return {group: {k: v[:] for k, v in f[group].items()} for group in ("cells", "curves", "measures")}


def measured(r, name, element):
    m = r["measures"]
    rows = (m["measure"] == name.encode()) & (m["element"] == element.encode())
    return {int(c): v for c, v in zip(m["cell"][rows], m["value"][rows])}


def ranks(x):
    return np.argsort(np.argsort(x, kind="stable"), kind="stable")


def spearman(x, y):
    """With the mean rank of those that are equal."""
    def rank(v):
        v = np.asarray(v)
        return np.array([np.mean(ranks(v)[v == a]) for a in v])
    return np.corrcoef(rank(x), rank(y))[0, 1]


def numbers(r, arm):
    """Rows of the last curve point of each cell of an arm, with names."""
    cells, curves = r["cells"], r["curves"]
    out = [curves["procedure"][curves["cell"] == c][-1] for c in np.flatnonzero(cells["arm"] == arm)]
    names = cells["numbers"][cells["arm"] == arm][0].decode().split(",")
    return names, np.array(out)[:, :len(names)]


print("a. equivariance error and loss by weight, three seeds")
r = read("remul")
cells = r["cells"]
so3 = measured(r, "equivariance", "so3")
swept = np.flatnonzero(cells["arm"] == b"transformer_remul")
weight, error = cells["swept"][swept], np.array([so3[int(c)] for c in swept])
for w in sorted(set(weight)):
    print(f"     weight {w:>5g}: E' {error[weight == w].mean():.4f}, loss {cells['loss'][swept][weight == w].mean():.4f}")
for arm in (b"transformer", b"transformer_augmented"):
    mine = np.flatnonzero(cells["arm"] == arm)
    print(f"     {arm.decode()}: E' {np.mean([so3[int(c)] for c in mine]):.4f}, loss {cells['loss'][mine].mean():.4f}")
rho = spearman(weight, error)
bound(rho <= -0.8, f"E' falls with the weight: Spearman {rho:.2f}, want at most -0.8")

print("h. widths, mean over seeds")
for study in ("augerino", "augerino-withheld"):
    names, value = numbers(read(study), b"transformer_augerino")
    print(f"     {study}: " + ", ".join(f"{n} {v:.3g}" for n, v in zip(names, value.mean(0))))
names, value = numbers(read("augerino"), b"transformer_augerino")
width = dict(zip(names, value.mean(0)))
least = min(width[f"rotation_{a}"] for a in "xyz")
bent = max(v for n, v in width.items() if n.startswith(("shear", "stretch", "scale")))
shift = min(width[f"shift_{a}"] for a in "xyz")
bound(least > np.log(2), f"rotations grow: least width {least:.3f}, started at {np.log(2):.3f}")
bound(shift > np.log(2), f"shifts grow: least width {shift:.3f}, started at {np.log(2):.3f}")
bound(bent < 0.05, f"shears, stretches and scale stay small: widest {bent:.4f}, want below 0.05")
names, value = numbers(read("augerino-withheld"), b"transformer_augerino")
width = dict(zip(names, value.mean(0)))
across = max(width["rotation_x"], width["rotation_y"])
bound(width["rotation_z"] > np.log(2) > 2 * across,
      f"withheld: about the vertical {width['rotation_z']:.3f}, across {across:.3f}, both started at {np.log(2):.3f}")

averaged, single = measured(read("augerino"), "augerino", "averaged"), measured(read("augerino"), "augerino", "single")
print(f"     loss of the single prediction {np.mean(list(single.values())):.4f}, of the mean over copies "
      f"{np.mean(list(averaged.values())):.4f}, full inputs, on the samples measured")

print("b. loss by number of fixed inputs, floor and gravity withheld, mean over seeds")
r = read("approximate")
cells = r["cells"]
loss = {k: cells["loss"][(cells["arm"] == b"gatr_approximate") & (cells["fixed"] == k)].mean() for k in (0, 1, 2, 4, 8, 16)}
gatr = cells["loss"][cells["arm"] == b"gatr"].mean()
transformer = cells["loss"][cells["arm"] == b"transformer"].mean()
print(f"     gatr {gatr:.4f}, transformer {transformer:.4f}, " + ", ".join(f"k = {k}: {v:.4f}" for k, v in loss.items()))
for element in ("on", "off", "delta", "fall"):
    gates = measured(r, "gates", element)
    mean = {k: np.mean([v for c, v in gates.items() if cells["fixed"][c] == k]) for k in (1, 2, 4, 8, 16)}
    print(f"     {element:>5}: " + ", ".join(f"k = {k}: {v:.4f}" for k, v in mean.items()))
fell = []
for study, what in (("approximate", "channels"), ("vertical", "one direction"), ("tokens", "four tokens")):
    r = read(study)
    on, off, fall = (measured(r, "gates", element) for element in ("on", "off", "fall"))
    for c, cosine in fall.items():
        knows = on[c] < 0.8 * off[c]  # which way is down
        fell += [cosine] if knows else []
        print(f"     {what}, k = {r['cells']['fixed'][c]}: loss {r['cells']['loss'][c]:.4f}, gates on {on[c] / off[c]:.2f} of off, "
              f"fall {cosine:.4f}")
bound(len(fell) > 0 and min(fell) > 0.99,
      f"{len(fell)} runs to which gates make a fifth: free fall is along gravity, want a cosine above 0.99")
bound(loss[0] == gatr, "k = 0 is GATr, bit for bit")
bound(min(loss[k] for k in (2, 4, 8, 16)) < 0.9 * gatr, "fixed inputs take a tenth of the loss at least")

print("f. classes that share weights, by seed")
for study in ("shared", "shared-blocks"):
    r = read(study)
    names, value = numbers(r, b"transformer_shared")
    mine = r["cells"]["arm"] == b"transformer_shared"
    for row, loss in zip(value, r["cells"]["loss"][mine]):
        labels = [int(v) for v, n in zip(row, names) if n.startswith("class_") and np.isfinite(v)]
        found = " ".join("0" if v < 0 else "abcdefghijklmnop"[v] for v in labels)
        print(f"     {study}: {row[0]:g} classes ({found}), entropy {row[1]:.2f}, loss {loss:.4f}")
    if study == "shared":
        print(f"     transformer: loss {r['cells']['loss'][~mine].mean():.4f}, shared {r['cells']['loss'][mine].mean():.4f}")
        bound(np.median(value[:, 0]) == 1, f"names of bodies: {np.sum(value[:, 0] == 1)} of {len(value)} seeds find one class")
sys.exit(bool(wrong))
