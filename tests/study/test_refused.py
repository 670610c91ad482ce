"""What configs are refused for, and what is just taken, on both sides of each limit: `refused/`.

Each line has what is changed of a small study, and the whole error, or "taken". What was changed on
purpose is read in the diff: `REFUSED=write pytest -n 0 …`.
"""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from kept import assert_kept
from mesodecode.base.files import UserError
from mesodecode.study import study as studies

FOLDER = Path(__file__).with_name("refused")
STUDY = """
study: lab
recordings: {movie: "{session}.tif", behavior: "{session}.mat", rois: "{session}_roi.mat"}
mice: {a: [a1, a2, a3], b: [b1, b2, b3], c: [c1, c2, c3], d: [d1, d2], e: [e1, e2]}
decoders:
  linear: {model: logistic_regression}
  svm: {input: rois, model: linear_svm}
  raw: {input: rois, model: logistic_regression, normalise: none, baseline: null}
  cnn: {epochs: 7}
  frozen: {start_from: cnn, rnn: gru, cnn_weights: frozen}
  gru: {input: rois, rnn: gru}
  permuted: {like: gru, labels: permuted_between_sessions}
  past: {like: gru, causal: true}
"""
# group -> lines of YAML that change the study, each with those indented below; KEY.KEY is a place
CHANGES = {
    "tables": """
mice: {a: [a1]}
mice: {a: [a1], A: [b1], b: [c1], c: [d1], d: [e1]}
mice: {1: [a1], "1": [b1], b: [c1], c: [d1], d: [e1]}
mice.f: [a1]
mice.f: [f1, f1]
mice.nan: [f1]
mice.f: []
mice.f: 3
exclude: {x: lamp}
exclude: {a: seizures}
exclude: {a1: lamp, a2: lamp, a3: lamp}
different_mice: [a, x]
study: "a b"
study: null
unknown: 1
recordings.moovie: x
recordings.movie: "{session}_{x}.tif"
recordings.movie: "all.tif"
recordings.movie: "{session:3}.tif"
recordings.movie: "{session!r}.tif"
recordings.movie: "{session.tif"
recordings.movie: "{mouse}.tif"
recordings.movie: "{mouse}/{session}.tif"
recordings.behavior: null
recordings: {movie: "{session}.tif"}
recordings.roi_masks: m.json
recordings.speed_threshold_low: 0.5
recordings.speed_threshold_low: 0.6
recordings.movie_axes: TYX
recordings.movie_axes: TTYX
recordings.movie_axes: TY
recordings.movie_axes: KYX
recordings.frame_rate: "30 Hz"
recordings.frame_rate: 0
recordings.frame_rate: "30"
recordings.frame_rate: " 30 Hz"
image_size: 7.5
image_size: 32.0
image_size: "32"
image_size: "32 px"
image_size: 0
threads: true
note: 3
allocation.train: 4
allocation.choose: shared_pairs
allocation.choose: some
allocation.cohorts: across
allocation: {train: 2, valid: 2, test: 1}
allocation: {train: 3, valid: 1, test: 2}
exclude: {a1: lamp}
exclude: {a: x, b: y}
exclude: {a: x, b: y, c: z}
recordings.movie: "{session}.TIF"
recordings.movie: "{session}.x"
recordings.behavior: "{session}.CSV"
recordings.movie: ["{session}_1.tif", "{session}_2.tif"]
recordings.movie: ["{session}_1.tif", "all.tif"]
recordings.movie: ["{mouse}/{session}.tif", "{session}.tif"]
recordings.areas: x
mice: {a: [s1, s2], b: [s1], c: [t1], d: [t2], e: [t3]}
{mice: {a: [s1, s2], b: [s1], c: [t1], d: [t2], e: [t3]},
  recordings: {movie: "{mouse}{session}.tif", behavior: "{mouse}{session}.mat"},
  decoders: {linear: {model: ridge}}}
{mice: {a: [s1, s2], b: [s1], c: [t1], d: [t2], e: [t3]},
  recordings: {movie: "{mouse}/{session}.tif", behavior: "{mouse}/{session}.mat"},
  decoders: {linear: {model: logistic_regression}}}
{mice: {a: [s1, s2], b: [s1], c: [t1], d: [t2], e: [t3]},
  recordings: {movie: "{mouse}/{session}.tif", behavior: "{session}.mat"},
  decoders: {linear: {model: logistic_regression}}}
{mice: {a: [s1, s2], b: [s1], c: [t1], d: [t2], e: [t3]},
  recordings: {movie: ["{mouse}/{session}.tif", "{session}.tif"],
  behavior: "{mouse}/{session}.mat"},
  decoders: {linear: {model: logistic_regression}}}
{mice: {a: [s1, s2], b: [s1], c: [t1], d: [t2], e: [t3]},
  recordings: {movie: "{mouse}/{session}.tif", behavior: "{mouse}/{session}.mat",
  rois: "{session}.mat"}, decoders: {linear: {model: logistic_regression}}}
{mice: {a: [s1, s2], b: [s1], c: [t1], d: [t2], e: [t3]},
  recordings: {movie: "{mouse}/{session}.tif", behavior: "{mouse}/{session}.mat",
  frame_times: "{session}.mat"}, decoders: {linear: {model: logistic_regression}}}
{mice: {a: [s1, s2], b: [s1], c: [t1], d: [t2], e: [t3]},
  recordings: {movie: "{mouse}/{session}.tif", behavior: "{mouse}/{session}.mat",
  roi_masks: "{session}.json"}, decoders: {linear: {model: logistic_regression}}}
{mice: {a: [s1, s2], b: [s1], c: [t1], d: [t2], e: [t3]},
  recordings: {movie: "{mouse}/{session}.tif", behavior: "{mouse}/{session}.mat"},
  corrections: {brain_mask: "{session}.png"},
  decoders: {linear: {model: logistic_regression}}}
{mice.m1: [f1], mice.m01: [f2]}
{mice.m1: [f1], mice.m01: [f2], different_mice: [m1, m01]}
{mice.m1: [f1], mice.m2: [f2]}
""",
    "recordings": """
qc.duration: [10, 20]
qc.duration: [20, 10]
qc.drift: [0.5, 0.5]
qc.drift: [0.6, 0.5]
qc.drift: [null, 0.5]
qc.snr: [3, 4]
qc.motion: [1, 2, 3]
shift.predicted_auc: [0.7, 0.7]
shift.predicted_auc: [0.7, 0.8]
shift.predicted_r2: [0.3, 0.2]
shift.predicted_correlation: [0.4, 0.2]
shift.predicted_correlation: [0.5, 0.25]
shift.predicted_macro_auc: [0.7, 0.6]
shift.spread: [3, 4]
shift.confidence: [0.3, 0.2]
shift.confidence: [0.2, 0.3]
shift.spread: [4, 2]
shift.mahalanobis: [2, 1]
shift.mahalanobis: [1, 1]
shift.mahalanobis: [2, null]
shift.decoders: [permuted]
shift.decoders: [none]
shift.decoders: [gru, cnn]
nwb.session_start: x
confounds.brain_mask: "{x}.png"
confounds.brain_mask: brain.png
confounds.decoders: [none]
comparisons: {one: {decoders: [linear, none]}}
comparisons: {one: {decoders: [linear]}}
comparisons: {one: {decoders: [linear, past]}}
comparisons: {one: {decoders: [linear, past], across_protocols: true}}
comparisons: {one: {source: a.tsv, by: x}}
corrections.binning: 2
{corrections.binning: 2, recordings.roi_masks: m.json}
{corrections.binning: 1, recordings.roi_masks: m.json}
{corrections.binning: 3, recordings.roi_masks: m.json}
corrections.motion: maybe
corrections: {channels: 2, hemodynamics: regression}
corrections: {channels: 2, hemodynamics: ratio, reference_channel: 2, dff: mean}
corrections: {dff: mean, baseline_causal: true}
corrections: {dff: none, baseline_percentile: 5}
corrections: {dark_offset: 3, dark_frame: d.tif}
corrections: {reference_channel: 3, channels: 2, hemodynamics: regression}
corrections: {reference_channel: 1, signal_channel: 1, channels: 2, hemodynamics: regression}
corrections: {outside: mean}
corrections: {brain_mask: "{y}"}
""",
    "decoders": """
decoders.x: {like: none}
decoders.x: {like: x}
decoders.x: {modell: logistic_regression}
decoders.x: {model: some}
decoders.x: {input: rois}
decoders.x: {input: rois, rnn: gru, half_window: -1}
decoders.x: {like: gru, half_window: 0}
decoders.x: {like: gru, half_window: "0.5 s"}
decoders.x: {like: gru, half_window: "0.01 s"}
decoders.x: {like: gru, half_window: "0 s"}
decoders.x: {like: gru, dropout: 1}
decoders.x: {like: gru, dropout: 0.5}
decoders.x: {like: gru, rois: [0]}
decoders.x: {like: gru, rois: [1, 1]}
decoders.x: {like: gru, others: drop}
decoders.x: {like: gru, rois: [1], others: drop}
decoders.x: {like: gru, rnn: tcn, bidirectional: true}
decoders.x: {like: past, shift: 2}
decoders.x: {like: past, drop: true}
decoders.x: {like: past, normalise_from: reference}
decoders.x: {like: past, normalise_from: reference, normalise: none}
decoders.x: {like: gru, normalise_from: reference}
decoders.x: {like: gru, warm_up: 6}
decoders.x: {like: gru, warm_up: 5}
decoders.x: {start_from: none, rnn: gru}
decoders.x: {start_from: linear, rnn: gru}
decoders.x: {start_from: cnn, rnn: gru, causal: true}
decoders.x: {like: frozen, labels: permuted_between_sessions}
{decoders.two: {like: cnn, labels: permuted_between_sessions},
  decoders.x: {like: frozen, start_from: two}}
{decoders.two: {like: cnn, labels: permuted_between_sessions},
  decoders.x: {like: frozen, start_from: two, labels: permuted_between_sessions}}
{decoders.two: {like: cnn, labels: permuted_within_mice},
  decoders.x: {like: frozen, start_from: two, labels: permuted_between_sessions}}
{decoders.two: {like: cnn, causal: true}, decoders.x: {like: frozen, start_from: two}}
{decoders.two: {like: cnn, causal: true}, decoders.x: {like: frozen, start_from: two, causal: true}}
{decoders.x: {like: cnn, labels: permuted_between_sessions}, mice.f: [f1]}
decoders.x: {like: past, shift: -2}
decoders.x: {like: past, shift: 0}
decoders.x: {like: cnn, warm_up: 6}
decoders.x: {like: cnn, causal: true, warm_up: 6}
decoders.x: {like: linear, causal: true, normalise_from: reference}
decoders.x: {like: cnn, epochs: true}
decoders.x: {like: cnn, epochs: 1.0}
decoders.x: {like: cnn, frame_step: 0}
decoders.x: {like: cnn, start_from: gru}
decoders.x: {start_from: cnn, rnn: gru, cnn_weights: some}
decoders.x: {like: gru, half_window: "0.51 s"}
decoders.x: {like: gru, shift: "-0.5 s"}
decoders.cnn: {causal: true}
decoders.x: {like: cnn, epochs: 0}
decoders.x: {like: cnn, max_lr: 0}
decoders.x: {like: cnn, ema_decay: 1}
decoders.x: {like: cnn, baseline: 1000}
decoders.x: {like: frozen, augment_shift: 0.1}
decoders.x: {like: frozen, augment_shift: 0}
""",
    "made of others": """
decoders.x: {average_of: [linear, none]}
decoders.x: {average_of: [linear]}
decoders.x: {average_of: [linear, permuted]}
decoders.x: {average_of: [linear, cnn]}
decoders.x: {adaptive_of: [linear], by: validation}
decoders.x: {adaptive_of: [linear, cnn], by: validation}
decoders.x: {adaptive_of: [linear, cnn], by: validation, margin: 0.1}
decoders.x: {adaptive_of: [linear, cnn], by: recording, margin: 0.1}
decoders.x: {adapted_from: none, coral: true}
decoders.x: {adapted_from: linear, coral: true}
decoders.x: {adapted_from: linear}
decoders.x: {adapted_from: past, normalise: past}
decoders.x: {adapted_from: gru, normalise: past}
decoders.x: {adapted_from: gru, register: true}
decoders.x: {adapted_from: linear, register: true}
decoders.x: {adapted_from: linear, batch_norm: true}
decoders.x: {adapted_from: cnn, batch_norm: true}
decoders.x: {adapted_from: linear, coral: true, few_shot: 2}
decoders.x: {adapted_from: svm, few_shot: 2}
decoders.x: {adapted_from: raw, few_shot: 2}
decoders.x: {adapted_from: linear, few_shot: 2, finetune: all}
decoders.x: {adapted_from: gru, few_shot: 2, finetune: norm}
decoders.x: {adapted_from: gru, few_shot: 2, finetune: all}
decoders.x: {adapted_from: gru, few_shot: 1 sessions}
decoders.x: {adapted_from: gru, few_shot: 2 sessions}
decoders.x: {adapted_from: gru, few_shot: 0}
decoders.x: {adapted_from: gru, few_shot: 3 sessions}
decoders.x: {adapted_from: past, coral: true}
decoders.x: {adapted_from: past, few_shot: 2}
decoders.x: {adapted_from: cnn, register: true, first_unlabelled: 2}
decoders.x: {adapted_from: cnn, few_shot: 2, finetune: norm}
{decoders.two: {like: cnn, causal: true}, decoders.x: {adapted_from: two, batch_norm: true}}
{decoders.two: {like: cnn, causal: true}, decoders.x: {adapted_from: two, register: true}}
{decoders.two: {like: cnn, causal: true}, decoders.x: {adapted_from: two, normalise: past}}
{decoders.two: {like: cnn, causal: true},
  decoders.x: {adapted_from: two, register: true, first_unlabelled: 2}}
{decoders.two: {like: gru, normalise: dff}, decoders.x: {adapted_from: two, first_unlabelled: 2}}
{decoders.two: {like: gru, normalise: dff, baseline: null},
  decoders.x: {adapted_from: two, first_unlabelled: 2}}
{decoders.two: {like: cnn, baseline: 1000}, decoders.x: {adapted_from: two, first_unlabelled: 2}}
{decoders.two: {like: cnn, baseline: 1000}, decoders.x: {adapted_from: two, normalise: past}}
{decoders.two: {like: linear, baseline: 1000}, decoders.x: {adapted_from: two, normalise: past}}
{decoders.two: {like: cnn, baseline: 1000}, decoders.three: {like: frozen, start_from: two},
  decoders.x: {adapted_from: three, normalise: past}}
{decoders.x: {adapted_from: gru, few_shot: 1}, decoders.y: {adapted_from: x}}
{decoders.x: {average_of: [cnn, gru]}, decoders.y: {average_of: [x, linear]}}
{decoders.x: {adaptive_of: [cnn, gru], by: validation}, decoders.y: {average_of: [x, linear]}}
decoders.x: {adapted_from: past, coral: true, first_unlabelled: 2}
decoders.x: {adapted_from: past, first_unlabelled: 2}
decoders.x: {adapted_from: gru, first_unlabelled: 2}
decoders.x: {adapted_from: gru, first_unlabelled: 2, few_shot: 2}
decoders.x: {adapted_from: gru, first_unlabelled: 2, normalise: past}
decoders.x: {adapted_from: cnn, first_unlabelled: 2, normalise: past}
decoders.x: {adapted_from: raw, first_unlabelled: 2}
decoders.x: {adapted_from: raw, first_unlabelled: 2, coral: true}
decoders.Gru: {like: gru}
decoders: {}
areas: [V1, M1]
areas: common
""",
    "searches": """
tune: {none: {trials: 3, search: {C: [1, 2]}}}
tune: {gru: {trials: 3, search: {half_window: ["0.1 s", "0.11 s"]}}}
tune: {gru: {trials: 3, search: {half_window: ["0.2 s", "0.1 s"]}}}
tune: {frozen: {trials: 3, search: {epochs: [1, 2]}}}
tune: {gru: {trials: 3, search: {none: [1, 2]}}}
tune: {gru: {trials: 3, search: {rois: [1, 2]}}}
tune: {gru: {trials: 3, search: {variant: [x, y]}}}
tune: {gru: {trials: 3, search: {max_lr: [0.1, 0.01]}}}
tune: {gru: {trials: 3, search: {max_lr: [0.01, 0.01]}}}
tune: {gru: {trials: 3, search: {max_lr: [0.1, 0.01, 0.001]}}}
tune: {gru: {trials: 3, search: {dropout: [0.5, 1]}}}
tune: {gru: {trials: 0, search: {dropout: [0.1, 0.2]}}}
tune: {gru: {trials: 3, search: {bidirectional: [false, true]}}}
tune: {gru: {trials: 3, search: {normalise: [minmax, zscore]}}}
tune: {gru: {trials: 3, search: {normalise: [minmax, some]}}}
tune: {past: {trials: 3, search: {half_window: [2, 3]}}}
{tune: {cnn: {trials: 3, search: {epochs: [1, 2]}}}, ceilings: {decoders: [cnn]}}
{tune: {cnn: {trials: 3, search: {epochs: [1, 2]}}}, ceilings: {decoders: [gru]}}
variants: {study: {image_size: 32, decoders: [linear]}}
variants: {small: {image_size: 32}}
variants: {small: {image_size: 32, decoders: [none]}}
variants: {small: {image_size: 32, decoders: [linear]}}
variants: {small: {decoders: [linear]}}
variants: {small: {image_size: 32, decoders: [gru]}}
variants: {small: {settings: {epochs: 3}, decoders: [linear]}}
variants: {small: {settings: {epochs: 3}, decoders: [cnn]}}
variants: {small: {settings: {epochs: 3}, decoders: [frozen]}}
variants: {small: {corrections: {channels: 2}, decoders: [linear]}}
variants: {small: {corrections: {max_shift: 3}, decoders: [linear]}}
variants: {small: {corrections: {motion: true, max_shift: 3}, decoders: [linear]}}
variants: {small: {corrections: {baseline_window: 3}, decoders: [linear]}}
variants: {small: {settings: {seed: 3}, decoders: [linear, gru]}}
variants: {small: {image_size: 32, decoders: [linear, linear]}}
{variants: {small: {image_size: 32, decoders: [linear]}}, decoders.linear_small: {like: linear}}
{corrections.motion: true, variants: {still: {corrections: {motion: false}, decoders: [linear]}}}
""",
    "analyses": """
importance: {m: {decoder: none}}
importance: {m: {decoder: linear}}
importance: {m: {decoder: svm}}
importance: {m: {decoder: gru}}
importance: {m: {decoder: gru, masks: squares}}
importance: {m: {decoder: linear, masks: squares}}
importance: {m: {decoder: linear, masks: some}}
importance: {m: {decoder: linear, masks: areas.json}}
importance: {m: {decoder: linear, masks: areas.json, size: 8}}
importance: {m: {decoder: linear, masks: edges, stride: 8}}
importance: {m: {decoder: linear, masks: edges, size: 8}}
importance: {m: {decoder: linear, masks: squares, times: true}}
importance: {m: {decoder: frozen, masks: squares, times: true}}
importance: {m: {decoder: gru, null_decoder: linear}}
importance: {m: {decoder: gru, null_decoder: permuted}}
importance: {m: {decoder: gru, null_decoder: none}}
importance: {m: {decoder: gru, mirror: [[1, 2], [3, 4]]}}
importance: {m: {decoder: gru, mirror: [[1, 2], [2, 3]]}}
importance: {m: {decoder: gru, mirror: [[1, 1]]}}
importance: {m: {decoder: gru, windows: 0}}
importance: {m: {decoder: gru}, m_times: {decoder: gru}}
importance: {m: {decoder: gru}, m_more: {decoder: gru}}
importance: {m: {decoder: gru, checks: {frames: 1}}}
importance: {m: {decoder: gru, checks: {frame: 9}}}
importance: {m: {decoder: gru, seeds: [permuted]}}
importance: {m: {decoder: gru, seeds: [gru]}}
importance: {m: {decoder: cnn, areas: squares, size: 8}}
importance: {m: {decoder: gru, areas: squares}}
importance: {m: {decoder: linear, masks: circles, size: 8, stride: 4}}
importance: {m: {decoder: linear, masks: pairs, size: 8, stride: 4}}
importance: {m: {decoder: linear, masks: corners, stride: 4}}
importance: {m: {decoder: linear, masks: areas.json, stride: 4}}
importance: {m: {decoder: linear, masks: "{session}.json"}}
importance: {m: {decoder: linear, masks: "{x}.json"}}
importance: {m: {decoder: cnn, areas: "{mouse}.json"}}
importance: {m: {decoder: cnn, areas: some}}
importance: {m: {decoder: frozen, areas: squares}}
importance: {m: {decoder: gru}, m_signed: {decoder: gru}}
importance: {m: {decoder: gru}, m_sides: {decoder: gru}}
importance: {m: {decoder: gru, seeds: [none]}}
importance: {m: {decoder: permuted}}
{decoders.x: {like: permuted, seed: 2}, importance: {m: {decoder: permuted, seeds: [x]}}}
{decoders.x: {adapted_from: gru, few_shot: 1}, importance: {m: {decoder: x}}}
importance: {m: {decoder: cnn, areas: edges, stride: 8}}
{areas: common, importance: {m: {decoder: gru, mirror: [[1, 2]]}}}
{areas: [M1, V1], importance: {m: {decoder: gru, mirror: [[1, 2]]}}}
{decoders.x: {average_of: [gru, raw]}, importance: {m: {decoder: x}}}
{decoders.x: {like: gru, seed: 2}, importance: {m: {decoder: gru, seeds: [x]}}}
{decoders.x: {like: gru, seed: 2, epochs: 2}, importance: {m: {decoder: gru, seeds: [x]}}}
{decoders.x: {like: permuted, seed: 2}, importance: {m: {decoder: gru, seeds: [x]}}}
{decoders.x: {like: gru, seed: 2}, importance: {m: {decoder: gru, null_decoder: x}}}
{decoders.x: {like: permuted, seed: 2}, importance: {m: {decoder: gru, null_decoder: x}}}
{decoders.x: {like: permuted, epochs: 2}, importance: {m: {decoder: gru, null_decoder: x}}}
{decoders.two: {like: cnn, seed: 2}, decoders.x: {like: frozen, start_from: two},
  importance: {m: {decoder: frozen, masks: squares, seeds: [x]}}}
{decoders.two: {like: cnn, epochs: 2}, decoders.x: {like: frozen, start_from: two},
  importance: {m: {decoder: frozen, masks: squares, seeds: [x]}}}
{decoders.two: {like: cnn, labels: permuted_between_sessions},
  decoders.x: {like: frozen, start_from: two, labels: permuted_between_sessions},
  importance: {m: {decoder: frozen, masks: squares, null_decoder: x}}}
reproduction: {gru: {model: GRU}}
reproduction: {gru: {analysis: roi_models, model: GRU}}
reproduction: {gru: {analysis: roi_models, model: GRU, half_window_frames: "15"}}
reproduction: {gru: {analysis: roi_window, model: GRU}}
reproduction: {none: {model: GRU}}
ceilings: {decoders: [none]}
ceilings: {decoders: [linear]}
ceilings: {decoders: [gru]}
ceilings: {decoders: [permuted]}
ceilings: {decoders: [frozen]}
ceilings: {decoders: [cnn]}
ceilings: {decoders: [past]}
{ceilings: {decoders: [linear]}, mice: {a: [a1, a2], b: [b1, b2], c: [c1], d: [d1], e: [e1]}}
{ceilings: {decoders: [gru]},
  mice: {a: [a1, a2, a3], b: [b1, b2, b3], c: [c1, c2], d: [d1], e: [e1]}}
{ceilings: {decoders: [linear]},
  mice: {a: [a1, a2], b: [b1, b2], c: [c1, c2], d: [d1], e: [e1]}}
{decoders.x: {like: past, normalise_from: reference}, ceilings: {decoders: [x]}}
{decoders.x: {adapted_from: gru, few_shot: 1}, ceilings: {decoders: [x]}}
ceilings: {decoders: [linear], split: frame}
""",
    "simulated": """
simulate: {}
simulate: {frames: 3}
simulate: {photons: 0}
simulate: {by_mouse: {x: {rotation: 3}}}
simulate: {by_mouse: {a: {rotation: 3}}}
simulate: {by_mouse: {a: {seed: 3}}}
simulate: {by_mouse: {a: {frame_rate: 3}}}
simulate: {by_mouse: {a: {turned: 3}}}
simulate: {signal_drift: 0.01}
simulate: {signal_rois: [1, 2], signal_leads_s: [0.1]}
simulate: {signal_rois: [1, 2], signal_leads_s: [0.1, 0.2]}
simulate: {signal_rois: [1, 2], signal_gains: [1, -1, 1]}
simulate: {run_shares: []}
simulate: {run_shares: [0, 0.5]}
simulate: {run_shares: [1]}
simulate: {signal_rois: [1, 1]}
simulate: {signal_rois: [1, 2], signal_gains: [1, -1]}
simulate: {signal_rois: [1, 2], signal_gains: [1]}
simulate: {signal_gains: [1]}
simulate: {by_mouse: {a: {n_frames: 3000}}}
{simulate: {n_frames: 3000}, fetch: "zenodo:1"}
""",
    "cohorts and targets": """
cohorts: {one: [a, b], two: [c, d, e]}
cohorts: {one: [a, b], two: [b, c]}
cohorts: {one: [a, b], two: [x]}
cohorts: {one: [a, b], One: [c]}
cohorts: {one: []}
by_cohort: {one: {image_size: 32}}
frame_rate: 10
frame_rate: 60
frame_rate: 31.5
frame_rate: 31.6
reproduction: true
stack: true
circular_shifts: 0
circular_shifts: 19
target: pupil
target: states
target: some
recordings.target_states: [rest, run]
recordings.behavior_target: x
nwb.sessions: none.tsv
stack: 3
target: Run
{target: States, decoders: {x: {model: ridge}}}
{target: pupil, decoders: {x: {model: ridge}}}
{target: pupil, decoders: {x: {model: ridge}}, recordings.target_states: [rest, run]}
{target: pupil, decoders: {x: {model: ridge}}, recordings.behavior_target: size}
{target: pupil, decoders: {x: {input: rois, model: linear_svm}}}
{target: pupil, decoders: {x: {model: ridge}}, confounds.model: logistic_regression}
{target: pupil, decoders: {x: {model: ridge}}, stack: true}
{target: pupil, decoders: {x: {model: ridge}}, shift.predicted_auc: [0.7, 0.6]}
{target: pupil, decoders: {x: {model: ridge}}, shift.predicted_correlation: [0.7, 0.6]}
{target: pupil, decoders: {x: {model: ridge}}, shift.predicted_correlation: [0.6, 0.7]}
{target: states, recordings.target_states: [rest, run, groom], decoders: {x: {epochs: 2}},
  shift.spread: [3, 4]}
{target: pupil, decoders: {x: {model: ridge}}, reproduction: {x: {model: GRU}}}
{target: states, recordings.target_states: [rest, run, groom],
  decoders: {x: {model: logistic_regression}, y: {adapted_from: x, few_shot: 2}}}
{target: pupil, decoders: {x: {epochs: 2}, y: {adapted_from: x, few_shot: 2}}}
{target: states, recordings.target_states: [rest, run], decoders: {x: {model: ridge}}}
{target: states, recordings.target_states: [rest, run], decoders: {x: {epochs: 2}}}
{target: states, recordings.target_states: [rest, run, groom], decoders: {x: {epochs: 2}}}
{target: states, recordings.target_states: [rest, run, groom], decoders: {x: {epochs: 2}},
  cohorts: {one: [a, b], two: [c, d, e]},
  by_cohort: {two: {recordings: {target_states: [run, rest, groom]}}}}
{target: states, decoders: {x: {epochs: 2}}, cohorts: {one: [a, b], two: [c, d, e]},
  by_cohort: {two: {recordings: {target_states: [run, rest]}}}}
{target: pupil, decoders: {x: {model: ridge}}, circular_shifts: 19}
{target: states, recordings.target_states: [rest, run, groom], decoders: {x: {epochs: 2}},
  stack: true}
{target: states, recordings.target_states: [rest, run, groom], decoders: {x: {epochs: 2}},
  reproduction: {x: {model: GRU}}}
{target: states, recordings.target_states: [rest], decoders: {x: {epochs: 2}}}
{target: states, recordings.target_states: [rest, rest], decoders: {x: {epochs: 2}}}
{target: states, decoders: {x: {epochs: 2}}}
{target: pupil, decoders: {x: {model: logistic_regression}}}
{target: pupil, decoders: {x: {model: ridge}}, tune: {x: {trials: 2, search: {C: [1, 2]}}}}
{areas: common, recordings.rois: null, decoders: {linear: {model: logistic_regression}}}
{areas: common, cohorts: {one: [a, b], two: [c, d, e]},
  by_cohort: {two: {recordings: {rois: null}}},
  decoders: {linear: {model: logistic_regression}}}
{areas: [V1], cohorts: {one: [a, b], two: [c, d, e]},
  by_cohort: {two: {recordings: {rois: null}}},
  decoders: {linear: {model: logistic_regression}}}
{cohorts: {one: [a, b], two: [c, d, e]}, allocation: {train: 1, cohorts: across}}
{cohorts: {one: [a, b], two: [c, d, e]}, allocation: {train: 1, cohorts: leave_out}}
{cohorts: {one: [a, b], two: [c, d, e]}, allocation: {train: 2, cohorts: mixed}}
{cohorts: {one: [a, b], two: [c, d, e]}, allocation: {train: 3, cohorts: mixed}}
{cohorts: {one: [a, b], two: [c, d, e]}, allocation: {train: 1, cohorts: some}}
{cohorts: {one: [a, b], two: [c, d, e]}, allocation: {train: 1, cohorts: leave_out},
  tune: {linear: {trials: 2, search: {C: [1, 2]}}}}
{cohorts: {one: [a, b], two: [c, d, e]}, allocation: {train: 1, cohorts: across},
  tune: {linear: {trials: 2, search: {C: [1, 2]}}}}
{cohorts: {one: [a, b], two: [c, d, e]}, exclude: {a: x, b: y}}
{cohorts: {one: [a, b], two: [c, d, e]}, exclude: {a: x}}
{allocation: {train: 1, test: 2}, confounds: {decoders: [linear]}}
{confounds: {decoders: [linear, gru]}}
""",
}


def changed(changes: dict[str, Any]) -> dict[str, Any]:
    config = copy.deepcopy(yaml.safe_load(STUDY))
    for path, value in changes.items():
        *parents, last = path.split(".")
        table = config
        for key in parents:
            table = table.setdefault(key, {})
        table[last] = value
    return config


@pytest.mark.parametrize("group", CHANGES)
def test_refusals_are_those_that_were_read(group):
    lines = []
    for line in CHANGES[group].strip().replace("\n  ", " ").splitlines():
        try:
            studies.resolve(changed(yaml.safe_load(line)))
            said = "taken"
        except UserError as error:
            said = re.sub("known here: .*", "known here: …", str(error))
        lines.append(f"{line}\n  {said}")
    assert_kept("\n".join(lines) + "\n", FOLDER / f"{group.replace(' ', '_')}.txt", "REFUSED")
