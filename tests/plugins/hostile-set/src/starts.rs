//! Cases that misbehave before there are rows: when they are instantiated, described or opened.

use crate::Case;

/// `describe` with the first function as it is, but for one word of it.
macro_rules! described_with {
    ($text:literal) => {
        concat!(
            $text,
            "(i32.store (i32.const 1024) (i32.const 2048)) (i32.store (i32.const 1028)
                    (i32.const 1))",
            "(i32.const 1024)"
        )
    };
}

/// `open` that refuses, with a message.
macro_rules! refused_with {
    ($at:literal, $length:literal) => {
        concat!(
            "(i32.store8 (i32.const 1024) (i32.const 1)) (i32.store8 (i32.const 1028)
                    (i32.const 0))",
            "(i32.store (i32.const 1040) (i32.const ",
            $at,
            "))",
            "(i32.store (i32.const 1044) (i32.const ",
            $length,
            ")) (i32.const 1024)"
        )
    };
}

pub const CASES: &[Case] = &[
    ("start_loops", &[("more", "(func $s (loop (br 0))) (start $s)")]),
    ("start_traps", &[("more", "(func $s (unreachable)) (start $s)")]),
    ("memory_of_four_gib", &[("memory", "(memory (export \"memory\") 65536)")]),
    ("table_of_a_billion", &[("more", "(table 1000000000 funcref)")]),
    ("twenty_tables", &[(
        "more",
        "(table 1 funcref) (table 1 funcref) (table 1 funcref) (table 1 funcref) (table 1 funcref)
         (table 1 funcref) (table 1 funcref) (table 1 funcref) (table 1 funcref) (table 1 funcref)
         (table 1 funcref) (table 1 funcref) (table 1 funcref) (table 1 funcref) (table 1 funcref)
         (table 1 funcref) (table 1 funcref) (table 1 funcref) (table 1 funcref)
                 (table 1 funcref)",
    )]),
    ("realloc_traps", &[(
        "realloc",
        "(func (export \"cabi_realloc\") (param i32 i32 i32 i32) (result i32) (unreachable))",
    )]),
    ("realloc_loops", &[(
        "realloc",
        "(func (export \"cabi_realloc\") (param i32 i32 i32 i32) (result i32) (loop (br 0))
                (unreachable))",
    )]),
    ("realloc_outside_of_memory", &[(
        "realloc",
        "(func (export \"cabi_realloc\") (param i32 i32 i32 i32) (result i32) (i32.const -16))",
    )]),
    ("realloc_not_aligned", &[(
        "realloc",
        "(func (export \"cabi_realloc\") (param i32 i32 i32 i32) (result i32) (i32.const 65537))",
    )]),
    ("describe_loops", &[("describe", "(loop (br 0)) (unreachable)")]),
    ("describe_traps", &[("describe", "(unreachable)")]),
    ("describes_nothing", &[(
        "describe",
        "(i32.store (i32.const 1024) (i32.const 0)) (i32.store (i32.const 1028) (i32.const 0))
         (i32.const 1024)",
    )]),
    ("describes_a_billion", &[(
        "describe",
        "(i32.store (i32.const 1024) (i32.const 2048))
         (i32.store (i32.const 1028) (i32.const 1000000000)) (i32.const 1024)",
    )]),
    ("describes_a_thousand_zeros", &[(
        "describe",
        "(i32.store (i32.const 1024) (i32.const 8192)) (i32.store (i32.const 1028)
                (i32.const 1000))
         (i32.const 1024)",
    ), ("memory", "(memory (export \"memory\") 4)")]),
    ("describes_it_twice", &[(
        "describe",
        "(memory.copy (i32.const 8192) (i32.const 2048) (i32.const 92))
         (memory.copy (i32.const 8284) (i32.const 2048) (i32.const 92))
         (i32.store (i32.const 1024) (i32.const 8192)) (i32.store (i32.const 1028) (i32.const 2))
         (i32.const 1024)",
    )]),
    ("describes_outside_of_memory", &[("describe", "(i32.const -64)")]),
    ("describes_an_unknown_kind", &[("describe", described_with!("(i32.store8 (i32.const 2056)
            (i32.const 77))"))]),
    ("describes_a_transformer_that_it_has_not", &[("describe", described_with!("(i32.store8
            (i32.const 2056) (i32.const 4))"))]),
    ("name_is_empty", &[("describe", described_with!("(i32.store (i32.const 2052)
            (i32.const 0))"))]),
    ("name_steers_the_terminal", &[("describe", described_with!("(i32.store16 (i32.const 4096)
            (i32.const 0x5b1b))"))]),
    ("name_is_not_utf8", &[("describe", described_with!("(i32.store16 (i32.const 4096)
            (i32.const 0xffff))"))]),
    ("name_of_one_mib", &[
        ("memory", "(memory (export \"memory\") 40)"),
        ("describe", described_with!(
            "(memory.fill (i32.const 100000) (i32.const 120) (i32.const 1048576))
             (i32.store (i32.const 2048) (i32.const 100000))
             (i32.store (i32.const 2052) (i32.const 1048576))"
        )),
    ]),
    ("doc_of_eight_mib", &[
        ("memory", "(memory (export \"memory\") 140)"),
        ("describe", described_with!(
            "(memory.fill (i32.const 100000) (i32.const 120) (i32.const 8388608))
             (i32.store (i32.const 2060) (i32.const 100000))
             (i32.store (i32.const 2064) (i32.const 8388608))"
        )),
    ]),
    ("type_that_there_is_not", &[("describe", described_with!("(i32.store8 (i32.const 4103)
            (i32.const 0x35))"))]),
    ("type_of_one_mib", &[
        ("memory", "(memory (export \"memory\") 40)"),
        ("describe", described_with!(
            "(memory.fill (i32.const 100000) (i32.const 60) (i32.const 1048576))
             (i32.store (i32.const 2184) (i32.const 100000))
             (i32.store (i32.const 2188) (i32.const 1048576))"
        )),
    ]),
    ("type_that_nests_without_end", &[
        ("memory", "(memory (export \"memory\") 4)"),
        ("describe", described_with!(
            "(call $nest) (i32.store (i32.const 2184) (i32.const 100000))
             (i32.store (i32.const 2188) (i32.const 60005))"
        )),
        ("more", "(data (i32.const 90000) \"list<\")
                  (func $nest (local $i i32)
                    (loop
                      (memory.copy (i32.add (i32.const 100000) (local.get $i))
                              (i32.const 90000) (i32.const 5))
                      (local.set $i (i32.add (local.get $i) (i32.const 5)))
                      (br_if 0 (i32.lt_u (local.get $i) (i32.const 50000))))
                    (memory.copy (i32.const 150000) (i32.const 4099) (i32.const 5))
                    (memory.fill (i32.const 150005) (i32.const 62) (i32.const 10000)))"),
    ]),
    ("reads_nothing_and_lies", &[("layout",
        "(i32.store (i32.const 1024) (i32.const 2304)) (i32.store (i32.const 1028) (i32.const 5))
         (i32.store (i32.const 1032) (i32.const 2208)) (i32.store (i32.const 1036) (i32.const 1))
         (i32.const 1024)")]),
    ("open_loops", &[("open", "(loop (br 0)) (unreachable)")]),
    ("open_traps", &[("open", "(unreachable)")]),
    ("open_refuses", &[("open", refused_with!("4096", "11"))]),
    ("open_refuses_with_no_utf8", &[
        ("more", "(data (i32.const 1536) \"\\ff\\fe\\fd\")"),
        ("open", refused_with!("1536", "3")),
    ]),
    ("open_refuses_outside_of_memory", &[("open", refused_with!("-16", "64"))]),
    ("open_forges_a_handle", &[(
        "open",
        "(i32.store8 (i32.const 1024) (i32.const 0)) (i32.store (i32.const 1028) (i32.const 999))
         (i32.const 1024)",
    )]),
    ("layout_loops", &[("layout", "(loop (br 0)) (unreachable)")]),
    ("layout_traps", &[("layout", "(unreachable)")]),
    ("layout_has_no_ports", &[("layout",
        "(i32.store (i32.const 1024) (i32.const 2304)) (i32.store (i32.const 1028) (i32.const 1))
         (i32.store (i32.const 1032) (i32.const 0)) (i32.store (i32.const 1036) (i32.const 0))
         (i32.const 1024)")]),
    ("schema_that_lies", &[
        ("more", "(data (i32.const 1536) \"float64\")
                  (data
                          (i32.const 1552) \"\\02\\10\\00\\00\\01\\00\\00\\00\"
                              \"\\00\\06\\00\\00\\07\\00\\00\\00\"
                              \"\\00\\00\\00\\00\")
                  (data
                          (i32.const 1600) \"\\08\\10\\00\\00\\03\\00\\00\\00\"
                              \"\\01\\00\\00\\00\"
                              \"\\10\\06\\00\\00\\01\\00\\00\\00\")"),
        ("layout",
         "(i32.store (i32.const 1024) (i32.const 2304)) (i32.store (i32.const 1028) (i32.const 1))
          (i32.store (i32.const 1032) (i32.const 1600)) (i32.store (i32.const 1036) (i32.const 1))
          (i32.const 1024)"),
    ]),
];
