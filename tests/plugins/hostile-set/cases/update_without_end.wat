;; updater

(func $misbehave (param i32) (loop (br 0)))
