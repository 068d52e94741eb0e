;; What a call gives: ok or error at 3100, the ports that get rows from 3104 on, errors from 3112
;; on. The one port's rows stand at 3400: its number, the count, the columns, the parents.

(data $kind (i32.const 1048) (i32 2))

(func $flat_map (export "weir:operator/flat-mapper@0.1.0#flat-map-rows")
  (param $this i32) (param $count i32) (param $columns i32) (param $length i32) (result i32)
  (call $make_column (local.get $count) (local.get $columns))
  (i32.store (i32.const 3100) (i32.const 0))
  (i32.store (i32.const 3104) (i32.const 3400))
  (i32.store (i32.const 3108) (i32.const 1))
  (i64.store (i32.const 3112) (i64.const 0))
  (call $give_port (local.get $count))
  (call $at_seven (local.get $count) (local.get $columns))
  (i32.const 3100))

;; Each row that comes out is its own parent.
(func $give_port (param $count i32)
  (local $row i32)
  (i32.store (i32.const 3400) (i32.const 0))
  (i32.store (i32.const 3404) (local.get $count))
  (i32.store (i32.const 3408) (i32.const 3200))
  (i32.store (i32.const 3412) (i32.const 1))
  (i32.store (i32.const 3416)
    (call $realloc (i32.const 0) (i32.const 0) (i32.const 4)
      (i32.mul (local.get $count) (i32.const 4))))
  (i32.store (i32.const 3420) (local.get $count))
  (loop $next
    (if (i32.lt_u (local.get $row) (local.get $count))
      (then
        (i32.store
          (i32.add (i32.load (i32.const 3416)) (i32.mul (local.get $row) (i32.const 4)))
          (local.get $row))
        (local.set $row (i32.add (local.get $row) (i32.const 1)))
        (br $next)))))
