;; flat-mapper
;; Two texts of one byte each, which together are one character.

(data $given_field (i32.const 1280) (i32 2024 1 2050 6 0))
(data $text_string (i32.const 2050) "string")
(data $offsets (i32.const 3500) (i32 0 1 2))
(data $bytes (i32.const 3520) "\c3\a9")
(func $prepare (param $count i32) (call $give_texts (local.get $count)))
(func $misbehave (param $count i32)
  (i32.store (i32.const 3404) (i32.const 2))
  (i32.store (i32.const 3200) (i32.const 2))
  (i32.store (i32.const 3308) (i32.const 3500))
  (i32.store (i32.const 3312) (i32.const 12))
  (i32.store (i32.const 3316) (i32.const 3520))
  (i32.store (i32.const 3320) (i32.const 2))
  (i32.store (i32.const 3420) (i32.const 0)))
