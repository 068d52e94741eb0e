;; mapper

(data $given_field (i32.const 1280) (i32 2024 1 2050 6 0))
(data $text_string (i32.const 2050) "string")
(func $prepare (param $count i32) (call $give_texts (local.get $count)))
(func $misbehave (param $count i32) (i32.store8 (i32.load (i32.const 3316)) (i32.const 255)))
