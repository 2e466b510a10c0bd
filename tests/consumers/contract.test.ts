import { describe, it } from '@jest/globals';
import { describeAuthStrategy } from 'qelos-auth/testing';
import { create } from './contract';

describeAuthStrategy('vault', { describe, it, create });
