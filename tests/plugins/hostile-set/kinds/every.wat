;; What the cases of this folder have in common: an honest component with one function `it` that
;; reads a column `n: int64` and gives it back. A case replaces any piece by one of its name.
;;
;; Places in memory: 1024 what `describe` gives, 2000 texts, 3000 what `open` gives, 3040 what
;; `layout` gives, 3104 what a call gives, 3200 its column, 3300 the buffers of that, 3400 what a
;; function with ports gives; from 65536 on is what the host puts there.

(import "[export]weir:operator/guest@0.1.0" "[resource-new]instance"
  (func $new (param i32) (result i32)))

(memory $memory (export "memory") 2)
(global $heap (mut i32) (i32.const 65536))

;; Takes memory from the heap and never gives it back.
(func $realloc (export "cabi_realloc")
  (param $old i32) (param $was i32) (param $align i32) (param $size i32) (result i32)
  (local $start i32)
  (local $missing i32)
  (local.set $start
    (i32.and
      (i32.add (global.get $heap) (i32.sub (local.get $align) (i32.const 1)))
      (i32.sub (i32.const 0) (local.get $align))))
  (global.set $heap (i32.add (local.get $start) (local.get $size)))
  (local.set $missing
    (i32.sub
      (i32.shr_u (i32.add (global.get $heap) (i32.const 65535)) (i32.const 16))
      (memory.size)))
  (if (i32.gt_s (local.get $missing) (i32.const 0))
    (then
      (if (i32.eq (memory.grow (local.get $missing)) (i32.const -1)) (then (unreachable)))))
  (local.get $start))

;; What `describe` gives: one function.
(data $functions (i32.const 1024) (i32 1040 1))
(data $name (i32.const 1040) (i32 2000 2))
(data $doc (i32.const 1052) (i32 2010 11))
(data $reads (i32.const 1060) (i32 1 1200 1))
(data $ports (i32.const 1072) (i32 1240 1))
(data $state (i32.const 1080) (i32 1320 0))
(data $state_version (i32.const 1088) (i32 0))
(data $where (i32.const 1092) (i32 0 0 0))
(data $config_schema (i32.const 1104) (i32 0 0))
(data $capabilities (i32.const 1112) (i32 0 0))
(data $needs_host (i32.const 1120) (i32 0 0))
(data $determinism (i32.const 1128) (i32 2))
(data $read_field (i32.const 1200) (i32 2024 1 2030 5 0))
(data $port (i32.const 1240) (i32 2040 3 1 1280 1))
(data $given_field (i32.const 1280) (i32 2024 1 2030 5 0))
(data $state_field (i32.const 1320) (i32 2024 1 2030 5 0))
(data $layout_given (i32.const 3040) (i32 0 0 1240 1))

(data $texts (i32.const 2000) "it")
(data $text_doc (i32.const 2010) "Misbehaves.")
(data $text_column (i32.const 2024) "n")
(data $text_type (i32.const 2030) "int64")
(data $text_port (i32.const 2040) "out")

(func $describe (export "weir:operator/guest@0.1.0#describe") (result i32)
  (i32.const 1024))

(func $open (export "weir:operator/guest@0.1.0#open")
  (param i32 i32 i32 i32 i32 i32 i32) (result i32)
  (i32.store (i32.const 3000) (i32.const 0))
  (i32.store (i32.const 3004) (call $new (i32.const 1)))
  (i32.const 3000))

(func $layout (export "weir:operator/guest@0.1.0#[method]instance.layout")
  (param i32) (result i32)
  (i32.const 3040))

;; The values of the first column of rows that came in.
(func $values (param $columns i32) (result i32)
  (i32.load offset=8 (i32.load offset=8 (local.get $columns))))

;; Whether a 7 is among the values.
(func $has_seven (param $count i32) (param $values i32) (result i32)
  (loop $next
    (if (i32.eqz (local.get $count)) (then (return (i32.const 0))))
    (if (i64.eq (i64.load (local.get $values)) (i64.const 7)) (then (return (i32.const 1))))
    (local.set $values (i32.add (local.get $values) (i32.const 8)))
    (local.set $count (i32.sub (local.get $count) (i32.const 1)))
    (br $next))
  (unreachable))

;; Makes the column that is given: as many values as came in, and the same.
(func $give_numbers (param $count i32) (param $values i32)
  (i32.store (i32.const 3200) (local.get $count))
  (i32.store (i32.const 3204) (i32.const 0))
  (i32.store (i32.const 3208) (i32.const 3300))
  (i32.store (i32.const 3212) (i32.const 2))
  (i64.store (i32.const 3300) (i64.const 0))
  (i32.store (i32.const 3308) (local.get $values))
  (i32.store (i32.const 3312) (i32.mul (local.get $count) (i32.const 8))))

;; Makes a column of text instead: each value is `a`.
(func $give_texts (param $count i32)
  (local $offsets i32)
  (local $bytes i32)
  (local $row i32)
  (local.set $offsets
    (call $realloc (i32.const 0) (i32.const 0) (i32.const 4)
      (i32.mul (i32.add (local.get $count) (i32.const 1)) (i32.const 4))))
  (local.set $bytes
    (call $realloc (i32.const 0) (i32.const 0) (i32.const 1) (local.get $count)))
  (memory.fill (local.get $bytes) (i32.const 97) (local.get $count))
  (loop $next
    (i32.store
      (i32.add (local.get $offsets) (i32.mul (local.get $row) (i32.const 4)))
      (local.get $row))
    (local.set $row (i32.add (local.get $row) (i32.const 1)))
    (br_if $next (i32.le_u (local.get $row) (local.get $count))))
  (i32.store (i32.const 3212) (i32.const 3))
  (i32.store (i32.const 3308) (local.get $offsets))
  (i32.store (i32.const 3312) (i32.mul (i32.add (local.get $count) (i32.const 1)) (i32.const 4)))
  (i32.store (i32.const 3316) (local.get $bytes))
  (i32.store (i32.const 3320) (local.get $count)))

;; What the case does with an honest column before it is given.
(func $prepare (param $count i32))

;; What the case does when a 7 came in, when the honest answer stands in memory.
(func $misbehave (param $count i32))

(func $make_column (param $count i32) (param $columns i32)
  (call $give_numbers (local.get $count) (call $values (local.get $columns)))
  (call $prepare (local.get $count)))

(func $at_seven (param $count i32) (param $columns i32)
  (if (call $has_seven (local.get $count) (call $values (local.get $columns)))
    (then (call $misbehave (local.get $count)))))
