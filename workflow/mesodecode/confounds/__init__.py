"""Is it the brain that is decoded? Decoders of signals that are none of neurons, as controls.

A decoder may know running by what goes with it: light from beside the brain, movement of the brain
under the objective, blood in its vessels, the brightness of all. Each is decoded alone, by the same
allocations of mice; where it does as well as a decoder, that decoder need not have read neurons.

Modules: `signals` takes the control signals from a recording, `controls` decodes from them,
`control_verdicts` holds their AUCs against a decoder's, `confounds_figure` draws that.
"""
