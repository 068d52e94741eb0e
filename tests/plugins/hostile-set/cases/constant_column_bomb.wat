;; flat-mapper
;; One text of 250,000 bytes that stands for 8,192 rows. Written out, it would be 2 GB.

(data $given_field (i32.const 1280) (i32 2024 1 2050 6 0))
(data $text_string (i32.const 2050) "string")
(func $prepare (param $count i32) (call $give_texts (local.get $count)))
(func $misbehave (param $count i32)
  (drop (memory.grow (i32.const 8)))
  (memory.fill (i32.const 131072) (i32.const 97) (i32.const 250000))
  (i32.store (i32.const 3404) (i32.const 8192))
  (i32.store (i32.const 3420) (i32.const 0))
  (i32.store (i32.const 3200) (i32.const 1))
  (i32.store (i32.load (i32.const 3308)) (i32.const 0))
  (i32.store offset=4 (i32.load (i32.const 3308)) (i32.const 250000))
  (i32.store (i32.const 3312) (i32.const 8))
  (i32.store (i32.const 3316) (i32.const 131072))
  (i32.store (i32.const 3320) (i32.const 250000)))
