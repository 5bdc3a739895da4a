# SPDX-License-Identifier: Apache-2.0
"""Figures of TARGETS, each beside its peer in the same run: ``python -m tests.bench``. Reports; never fails a build."""
