;; mapper
;; Says that its lists have more values than the column below has.

(data $given_field (i32.const 1280) (i32 2024 1 2050 11 0))
(data $text_string (i32.const 2050) "list<int64>")
;; Each list has one value, and the host gave them.
(func $prepare (param $count i32)
  (local $values i32)
  (local.set $values (i32.load (i32.const 3308)))
  (call $give_texts (local.get $count))
  (i32.store (i32.const 3212) (i32.const 4))
  (i64.store (i32.const 3316) (i64.const 0))
  (i32.store (i32.const 3324) (local.get $values))
  (i32.store (i32.const 3328) (i32.mul (local.get $count) (i32.const 8))))
(func $misbehave (param $count i32)
  (i32.store
    (i32.add (i32.load (i32.const 3308)) (i32.mul (local.get $count) (i32.const 4)))
    (i32.const 1000)))
