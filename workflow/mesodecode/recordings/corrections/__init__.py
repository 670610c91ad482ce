"""Corrections of a movie, each optional; all are off in the published protocol.

Whatever is chosen is made in this order, on the signal channel and, up to ΔF/F, in the same way on
the reference channel:

1. `channels`: interleaved frames are taken apart, by turns or by a vector of light sources.
2. `dark_offset`, `dark_frame`: the camera's counts without light are subtracted: from here on,
   brightness is proportional to light, which every later ratio needs.
3. `motion`: every frame is shifted onto the mean image, before pixels are followed through time.
4. `brain_mask`: pixels outside are set to a constant.
5. `binning`: squares of pixels are averaged.
6. `bleaching`: the slow decay is divided out.
7. `dff`: ΔF/F over a baseline of the whole recording or a running one.
8. `hemodynamics`: the reference channel's ΔF/F is taken out of the signal's. Without `dff`, F0 is
   the mean of each pixel and the result is in counts again.

Steps 3, 6 and 7 and the ratio need light. A movie that is ΔF/F already (pixels around 0: see
`qc_measures.of_light`) is refused by them; step 8 regresses such a channel as it is.

Corrected frames are float32, unless only steps 1 and 4 ran, which keep the recorded type. Each
recording is corrected by itself, with no knowledge of its labels; but for `baseline_causal`, every
step uses the whole recording, so that decoding is offline. Frames are taken to follow each other
in time: gaps between segments are not counted.

The settings are those of `workflow/schemas/tables/corrections.yaml`; `chain.corrected` makes the
corrected movie. This module stays free of heavy imports: the Snakefile checks settings with it.
"""
