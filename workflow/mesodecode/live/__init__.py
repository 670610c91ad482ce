"""Decoding at the rig: frames as they come, the probability of run a few milliseconds later.

What runs is a causal decoder from its file of weights, on frames corrected and normalised as it was
trained and tested offline, so that its probabilities are those of `mesodecode predict` on the same
frames (tests/live). A frame goes its way once:

1. `frame_sources`: a growing file, a replay, ZeroMQ (`zeromq`) or standard input.
2. `stream_corrections`: those corrections that need no later frame.
3. `stream_normalise`: by the frames before, or by a reference recording of the mouse.
4. `engine`: features of a frame are made once and kept; the window of the last ones gives a logit.
5. `watch`: what of the frame, so far, says that the decoder is not to be trusted.
6. `outputs`: a row of a table, which a thread of its own writes (`written`), a message of ZeroMQ,
   one of OSC.

`rig` is the loop around them.
"""
