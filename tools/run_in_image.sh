#!/bin/sh
# The Dockerfile's entry point: `docker run IMAGE predict …` is a command of ethocaffe's, `docker run IMAGE caffe …` a program.
case ${1:--} in
    -*) set -- ethocaffe "$@" ;;
    *) command -v "$1" > /dev/null || set -- ethocaffe "$@" ;;
esac
exec "$@"
