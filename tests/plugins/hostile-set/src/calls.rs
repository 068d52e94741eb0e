//! Cases that misbehave in a call, when a 7 is among the rows.

use crate::Case;

const LOG: (&str, &str) =
    ("import", r#"(import "weir:operator/log@0.1.0" "log" (func $log (param i32 i32 i32)))"#);

const METRICS: (&str, &str) = (
    "import",
    r#"(import "weir:operator/metrics@0.1.0" "count" (func $count (param i32 i32 i64)))"#,
);

const DROP: (&str, &str) = (
    "import",
    r#"(import "[export]weir:operator/guest@0.1.0" "[resource-drop]instance"
         (func $drop (param i32)))"#,
);

/// One wrong row: `errors` is one long, at 1280; the row and the message are the case's.
macro_rules! error_row {
    ($row:literal, $what:literal, $at:literal, $length:literal) => {
        concat!(
            "(i32.store (i32.const 1040) (i32.const 1280)) (i32.store (i32.const 1044)
                    (i32.const 1))",
            "(i32.store (i32.const 1280) (i32.const ",
            $row,
            "))",
            "(i32.store (i32.const 1284) (i32.const ",
            $what,
            "))",
            "(i32.store (i32.const 1296) (i32.const ",
            $at,
            "))",
            "(i32.store (i32.const 1300) (i32.const ",
            $length,
            "))"
        )
    };
}

pub const CASES: &[Case] = &[
    // Time.
    ("endless_loop", &[("map", "(loop (br 0))")]),
    ("bulk_fill_loop", &[
        ("memory", "(memory (export \"memory\") 130)"),
        ("map", "(loop (memory.fill (i32.const 131072) (i32.const 1) (i32.const 8000000))
                (br 0))"),
    ]),
    ("bulk_copy_loop", &[
        ("memory", "(memory (export \"memory\") 130)"),
        ("map", "(loop (memory.copy (i32.const 131072) (i32.const 4000000) (i32.const 4000000))
                (br 0))"),
    ]),
    ("endless_calls", &[
        ("more", "(func $twice (param i32) (result i32) (i32.add (local.get 0) (i32.const 1)))"),
        ("map", "(loop (local.set $i (call $twice (local.get $i))) (br 0))"),
    ]),
    ("log_without_end", &[
        LOG,
        ("map", "(loop (call $log (i32.const 1) (i32.const 4096) (i32.const 11)) (br 0))"),
    ]),
    ("post_return_loops", &[(
        "post",
        "(func (export \"cabi_post_weir:operator/mapper@0.1.0#map-rows\") (param i32)
           (global.set $heap (i32.const 65536)) (if (global.get $bad) (then (loop (br 0)))))",
    ), ("more", "(global $bad (mut i32) (i32.const 0))"), ("map", "(global.set $bad
            (i32.const 1))")]),
    // Memory, tables, stack.
    ("memory_bomb", &[(
        "map",
        "(loop (br_if 0 (i32.ne (i32.const -1) (memory.grow (i32.const 16))))) (unreachable)",
    )]),
    ("memory_bomb_that_is_touched", &[(
        "map",
        "(loop $more
           (local.set $i (memory.grow (i32.const 16)))
           (if (i32.ne (local.get $i) (i32.const -1)) (then
             (memory.fill (i32.shl (local.get $i) (i32.const 16)) (i32.const 1)
                     (i32.const 1048576))
             (br $more))))
         (unreachable)",
    )]),
    ("table_bomb", &[
        ("more", "(table $t 1 funcref)"),
        ("map", "(loop (br_if 0 (i32.ne (i32.const -1)
                   (table.grow $t (ref.null func) (i32.const 10000))))) (unreachable)"),
    ]),
    ("deep_recursion", &[
        ("more", "(func $deep (param i64) (result i64)
                    (i64.add (call $deep (i64.add (local.get 0) (i64.const 1))) (i64.const 1)))"),
        ("map", "(drop (call $deep (i64.const 0)))"),
    ]),
    ("recursion_through_a_table", &[
        ("more", "(type $f (func (param i32) (result i32))) (table 1 funcref) (elem
                (i32.const 0) $again)
                  (func $again (param i32) (result i32)
                    (i32.add (call_indirect (type $f) (local.get 0) (i32.const 0))
                            (i32.const 1)))"),
        ("map", "(drop (call $again (i32.const 5)))"),
    ]),
    ("handle_bomb", &[(
        "map",
        "(loop (drop (call $new (i32.const 1))) (br 0))",
    )]),
    // Traps.
    ("traps_on_seven", &[("map", "(unreachable)")]),
    ("divides_by_zero", &[("map", "(drop (i32.div_u (i32.const 1) (local.get $i)))")]),
    ("converts_nan", &[("map", "(drop (i32.trunc_f64_s (f64.const nan)))")]),
    ("reads_outside_of_memory", &[("map", "(drop (i32.load (i32.const -4)))")]),
    ("writes_outside_of_memory", &[("map", "(i64.store (i32.const -8) (i64.const 1))")]),
    ("calls_nothing", &[
        ("more", "(type $f (func)) (table 1 funcref)"),
        ("map", "(call_indirect (type $f) (i32.const 0))"),
    ]),
    ("calls_outside_of_its_table", &[
        ("more", "(type $f (func)) (table 1 funcref)"),
        ("map", "(call_indirect (type $f) (i32.const 99))"),
    ]),
    ("post_return_traps", &[(
        "post",
        "(func (export \"cabi_post_weir:operator/mapper@0.1.0#map-rows\") (param i32)
           (global.set $heap (i32.const 65536)) (if (global.get $bad) (then (unreachable))))",
    ), ("more", "(global $bad (mut i32) (i32.const 0))"), ("map", "(global.set $bad
            (i32.const 1))")]),
    ("second_call_traps", &[(
        "realloc",
        "(func (export \"cabi_realloc\") (param i32 i32 i32 i32) (result i32)
           (local $at i32)
           (if (i32.gt_u (global.get $calls) (i32.const 0)) (then (unreachable)))
           (global.set $heap (i32.and (i32.add (global.get $heap) (i32.const 15))
                   (i32.const -16)))
           (local.set $at (global.get $heap))
           (global.set $heap (i32.add (global.get $heap) (local.get 3)))
           (local.get $at))",
    )]),
    ("drops_an_unknown_handle", &[DROP, ("map", "(call $drop (i32.const 77))")]),
    ("drops_its_instance", &[DROP, ("map", "(call $drop (i32.const 1)) (call $drop
            (i32.const 1))")]),
    // Lies about rows.
    ("one_row_too_many", &[("map", "(i32.store (i32.const 1028) (i32.add (local.get $count)
            (i32.const 1)))")]),
    ("no_rows", &[("map", "(i32.store (i32.const 1028) (i32.const 0))")]),
    ("four_billion_rows", &[("map", "(i32.store (i32.const 1028) (i32.const -1))")]),
    ("no_columns", &[("map", "(i32.store (i32.const 1036) (i32.const 0))")]),
    ("two_columns", &[(
        "map",
        "(memory.copy (i32.const 1536) (local.get $columns) (i32.const 16))
         (memory.copy (i32.const 1552) (local.get $columns) (i32.const 16))
         (i32.store (i32.const 1032) (i32.const 1536)) (i32.store (i32.const 1036)
                 (i32.const 2))",
    )]),
    ("column_too_short", &[("map", "(i32.store (local.get $columns) (i32.const 0))")]),
    ("column_of_four_billion", &[("map", "(i32.store (local.get $columns) (i32.const -1))")]),
    ("null_count_lies", &[("map", "(i32.store offset=4 (local.get $columns) (i32.const 1))")]),
    ("null_count_of_four_billion", &[("map", "(i32.store offset=4 (local.get $columns)
            (i32.const -1))")]),
    ("no_buffers", &[("map", "(i32.store offset=12 (local.get $columns) (i32.const 0))")]),
    ("three_buffers", &[(
        "map",
        "(memory.copy (i32.const 1536) (i32.load offset=8 (local.get $columns)) (i32.const 16))
         (i64.store (i32.const 1552) (i64.const 0))
         (i32.store offset=8 (local.get $columns) (i32.const 1536))
         (i32.store offset=12 (local.get $columns) (i32.const 3))",
    )]),
    ("values_too_short", &[("map", "(i32.store offset=12 (i32.load offset=8
            (local.get $columns)) (i32.const 7))")]),
    ("short_bitmap", &[(
        "map",
        "(i32.store offset=4 (local.get $columns) (i32.const 1))
         (i32.store (i32.load offset=8 (local.get $columns)) (i32.const 1536))
         (i32.store offset=4 (i32.load offset=8 (local.get $columns)) (i32.const 0))",
    )]),
    ("null_where_there_is_none", &[(
        "map",
        "(i32.store offset=4 (local.get $columns) (local.get $count))
         (i32.store (i32.load offset=8 (local.get $columns)) (i32.const 1536))
         (i32.store offset=4 (i32.load offset=8 (local.get $columns)) (i32.const 1024))",
    )]),
    ("decimal_overflow", &[
        ("memory", "(memory (export \"memory\") 4)"),
        // The port has one column `n: decimal(2,0)`; all values become 16 bytes wide.
        ("more", "(data (i32.const 1536) \"decimal(2,0)\")
                  (data
                          (i32.const 1552) \"\\02\\10\\00\\00\\01\\00\\00\\00\"
                              \"\\00\\06\\00\\00\\0c\\00\\00\\00\"
                              \"\\00\\00\\00\\00\")
                  (data
                          (i32.const 1600) \"\\08\\10\\00\\00\\03\\00\\00\\00\"
                              \"\\01\\00\\00\\00\"
                              \"\\10\\06\\00\\00\\01\\00\\00\\00\")"),
        ("describe",
         "(i32.store (i32.const 2080) (i32.const 1600))
          (i32.store (i32.const 1024) (i32.const 2048)) (i32.store (i32.const 1028) (i32.const 1))
          (i32.const 1024)"),
        ("layout",
         "(i32.store (i32.const 1024) (i32.const 2304)) (i32.store (i32.const 1028) (i32.const 1))
          (i32.store (i32.const 1032) (i32.const 1600)) (i32.store (i32.const 1036) (i32.const 1))
          (i32.const 1024)"),
        ("always",
         "(i32.store (i32.const 1032) (i32.const 1700)) (i32.store (i32.const 1700)
                 (local.get $count))
          (i32.store (i32.const 1708) (i32.const 1720)) (i32.store (i32.const 1712) (i32.const 2))
          (i32.store (i32.const 1728) (i32.const 200000))
          (i32.store (i32.const 1732) (i32.shl (local.get $count) (i32.const 4)))
          (block $done (loop $next
            (br_if $done (i32.eq (local.get $i) (local.get $count)))
            (i64.store (i32.add (i32.const 200000) (i32.shl (local.get $i) (i32.const 4)))
              (i64.load (i32.add (call $values (local.get $columns))
                (i32.shl (local.get $i) (i32.const 3)))))
            (local.set $i (i32.add (local.get $i) (i32.const 1)))
            (br $next)))"),
        ("map", "(i64.store (i32.const 200000) (i64.const 1000))"),
    ]),
    // Pointers into nowhere.
    ("columns_outside_of_memory", &[("map", "(i32.store (i32.const 1032) (i32.const -16))")]),
    ("a_billion_columns", &[("map", "(i32.store (i32.const 1036) (i32.const 1000000000))")]),
    ("buffer_outside_of_memory", &[("map", "(i32.store offset=8 (i32.load offset=8
            (local.get $columns)) (i32.const -8))")]),
    ("buffer_of_four_gib", &[("map", "(i32.store offset=12 (i32.load offset=8
            (local.get $columns)) (i32.const -1))")]),
    ("columns_not_aligned", &[("map", "(i32.store (i32.const 1032) (i32.add
            (local.get $columns) (i32.const 1)))")]),
    ("answer_outside_of_memory", &[("map", "(return (i32.const -64))")]),
    ("answer_not_aligned", &[("map", "(return (i32.const 1025))")]),
    ("answer_neither_good_nor_bad", &[("map", "(i32.store8 (i32.const 1024) (i32.const 9))")]),
    // Error messages.
    ("refuses_the_batch", &[(
        "map",
        "(i32.store8 (i32.const 1024) (i32.const 1))
         (i32.store (i32.const 1028) (i32.const 4096)) (i32.store (i32.const 1032)
                 (i32.const 11))",
    )]),
    ("refusal_is_not_utf8", &[(
        "map",
        "(i32.store8 (i32.const 1024) (i32.const 1)) (i64.store (i32.const 1536) (i64.const -1))
         (i32.store (i32.const 1028) (i32.const 1536)) (i32.store (i32.const 1032)
                 (i32.const 8))",
    )]),
    ("refusal_of_eight_mib", &[
        ("memory", "(memory (export \"memory\") 130)"),
        ("map", "(memory.fill (i32.const 100000) (i32.const 120) (i32.const 8388608))
                 (i32.store8 (i32.const 1024) (i32.const 1))
                 (i32.store (i32.const 1028) (i32.const 100000))
                 (i32.store (i32.const 1032) (i32.const 8388608))"),
    ]),
    ("rejects_a_row_that_is_not_there", &[("map", error_row!("1000", "0", "4096", "11"))]),
    ("rejects_for_an_unknown_reason", &[("map", error_row!("0", "9", "4096", "11"))]),
    ("rejects_outside_of_memory", &[("map", error_row!("0", "0", "-16", "11"))]),
    ("rejects_with_four_gib", &[("map", error_row!("0", "0", "4096", "-1"))]),
    ("rejects_a_billion_times", &[(
        "map",
        "(i32.store (i32.const 1040) (i32.const 1280))
         (i32.store (i32.const 1044) (i32.const 1000000000))",
    )]),
    ("rejects_the_same_row_twice", &[(
        "map",
        "(memory.fill (i32.const 1280) (i32.const 0) (i32.const 48))
         (i32.store (i32.const 1040) (i32.const 1280)) (i32.store (i32.const 1044)
                 (i32.const 2))",
    )]),
    // Logs and metrics.
    ("log_line_of_eight_mib", &[
        LOG,
        ("memory", "(memory (export \"memory\") 130)"),
        ("map", "(memory.fill (i32.const 100000) (i32.const 120) (i32.const 8388608))
                 (call $log (i32.const 1) (i32.const 100000) (i32.const 8388608)) (unreachable)"),
    ]),
    ("log_outside_of_memory", &[LOG, ("map", "(call $log (i32.const 1) (i32.const -16)
            (i32.const 64))")]),
    ("log_of_four_gib", &[LOG, ("map", "(call $log (i32.const 1) (i32.const 0)
            (i32.const -1))")]),
    ("log_is_not_utf8", &[LOG, (
        "map",
        "(i64.store (i32.const 1536) (i64.const -1))
         (call $log (i32.const 1) (i32.const 1536) (i32.const 8))",
    )]),
    ("log_at_an_unknown_level", &[LOG, ("map", "(call $log (i32.const 99) (i32.const 4096)
            (i32.const 11))")]),
    ("metrics_without_end", &[METRICS, (
        "map",
        "(loop
           (local.set $i (i32.add (local.get $i) (i32.const 1)))
           (i32.store (i32.const 1536) (i32.or (i32.const 0x30303030)
             (i32.and (local.get $i) (i32.const 0x0f0f0f0f))))
           (i32.store (i32.const 1540) (i32.or (i32.const 0x40404040)
             (i32.and (i32.shr_u (local.get $i) (i32.const 4)) (i32.const 0x0f0f0f0f))))
           (call $count (i32.const 1536) (i32.const 8) (i64.const 1)) (br 0))",
    )]),
    ("metric_name_of_eight_mib", &[
        METRICS,
        ("memory", "(memory (export \"memory\") 130)"),
        ("map", "(memory.fill (i32.const 100000) (i32.const 120) (i32.const 8388608))
                 (call $count (i32.const 100000) (i32.const 8388608) (i64.const 1))
                         (unreachable)"),
    ]),
];
