;; updater
;; Its state is null, and its column is not nullable.

(data $validity (i32.const 3500) (i32 0))
(func $misbehave (param $keys i32)
  (i32.store (i32.const 3204) (local.get $keys))
  (i32.store (i32.const 3300) (i32.const 3500))
  (i32.store (i32.const 3304) (i32.const 4)))
