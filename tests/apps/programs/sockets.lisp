;;; SBCL's sb-bsd-sockets, one connection after the other, lines through a stream: sbcl --script sockets.lisp server|client PORT.
(require :sb-bsd-sockets)
(use-package :sb-bsd-sockets)

(defun new-socket () (make-instance 'inet-socket :type :stream :protocol :tcp))
(defun stream-of (socket) (socket-make-stream socket :input t :output t :buffering :full :timeout 15))
(defun say (line stream) (write-line line stream) (finish-output stream))

(defun serve (port)
  (let ((listener (new-socket)))
    (setf (sockopt-reuse-address listener) t)
    (socket-bind listener #(127 0 0 1) port)
    (socket-listen listener 16)
    (loop (let ((stream (stream-of (socket-accept listener))))
            (loop for line = (read-line stream nil) while line do (say (string-upcase line) stream))
            (close stream)))))

(defun ask (port)
  (dotimes (turn 5)
    (let ((socket (new-socket)))
      (socket-connect socket #(127 0 0 1) port)
      (let ((stream (stream-of socket)))
        (dotimes (i 100)
          (let ((line (format nil "line ~a ~a" i (make-string (* 50 i) :initial-element #\x))))
            (say line stream)
            (unless (string= (read-line stream) (string-upcase line)) (exit :code 1))))
        (close stream)))))

(funcall (if (string= (second *posix-argv*) "server") #'serve #'ask) (parse-integer (third *posix-argv*)))
