#!/bin/sh
# Run scale mini in an order in which a stop at any time leaves whole claims, and keep what is finished.
#   sh scripts/run_mini.sh        from the checkout; run it again to go on
# What each step is for: docs/mini.md.
set -eu

PROFILE=${PROFILE:-workflow/profiles/local}
KEPT=${KEPT:-measured/mini}

# run CATALOGUE SEED ID:L_e...: train, predict, score and, with seed 0, measure; then keep
run() {
    catalogue=experiments/$1.yaml seed=$2 targets=
    shift 2
    for row in "$@"; do
        id=${row%:*}
        targets="$targets results/mini/scores/$id/seed$seed/loops${row#*:}.json"
        [ "$seed" != 0 ] || targets="$targets results/mini/measurements/$id.json"
    done
    # shellcheck disable=SC2086
    snakemake --profile "$PROFILE" --config scale=mini seeds="$seed" catalogue="$catalogue" \
        -- $targets
    python -m r3cnn report keep --packed --results results/mini --out "$KEPT"
}

# C1, C6, C7 and C8; then C3 and C4; C5; C2 and C11; C9; C12
claims() {
    run paper "$1" mask_1x:1 r3_naive_inc:1 r3_naive_inc:2 r3_naive_inc:3 r3_naive_inc:4 r3_naive_inc:5
    run paper "$1" htc:3 r3_advanced:3
    run paper "$1" r3_naive_dec:3 mask_3x:1
    # with the loops that the controls ask for, so that nothing is predicted twice
    run controls "$1" r3_1loop:1 r3_1loop:3 r3_2loops:2 r3_2loops:3 r3_4loops:4 r3_4loops:3
    run heads "$1" heads_aab:3
}

claims 0
run paper 0 groie:1 r3l_groie:3 gcnet:1 htc_gcnet:3 r3l_gcnet:3 dcn:1 htc_dcn:3 r3l_dcn:3  # C10
claims 1
claims 2
run rates 0 r3_advanced_half:3 mask_1x_half:1 htc_half:3 r3_naive_inc_half:3 \
    mask_1x_double:1 htc_double:3 r3_naive_inc_double:3 r3_advanced_double:3
run heads 0 heads_aab_flow_off:3 heads_abb:3 heads_abc:3 heads_aabb:4
run heads 1 heads_aab_flow_off:3 heads_abb:3 heads_abc:3
run heads 2 heads_aab_flow_off:3 heads_abb:3 heads_abc:3
run controls 0 mask_matched:1 mask_matched_3x:1 r3_flow_off:3 r3_flow_trained:3 r3_shuffled:3 \
    r3_one_threshold:3 r3_equal_weights:3 r3_at_mask_3x:3 mask_at_r3_1x:1 \
    gcnet_syncbn:1 dcn_v2:1 htc_dcn_v2:3 r3l_dcn_v2:3
